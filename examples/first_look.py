"""The main job, start to end: index a folder of photos, search it in words and by picture, classify one.

    python examples/first_look.py [FOLDER]

Everything runs offline. Writes out/results.html with the pictures found.
"""

import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import Progress
from rich.table import Table

import seesay
from seesay.render.gallery import ClassificationSection, SearchSection, write_page

HERE = Path(__file__).parent
OUT = HERE.parent / "out"
QUERIES = ("a musical instrument", "草地上的马")
LABELS = ["fruit", "vegetable", "cat", "dog", "bird", "car", "boat", "airplane", "building", "musical instrument", "flower"]

console = Console(highlight=False)


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "photos"
    started = time.monotonic()
    with seesay.Library(OUT / "library") as library:
        index(library, folder)
        found = [search(library, query) for query in QUERIES]
        best = found[0].hits[0].path
        like_it = search_like(library, best)
        what = classify(library.model, best)
    page = write_page(OUT / "results.html", [*found, like_it, what], title="SeeSay: a first look")
    console.print(
        f"\nDone in {time.monotonic() - started:.1f} s. Look at the pictures found: [bold]{page.as_uri()}[/bold]",
        soft_wrap=True,
    )
    console.print("\nTry next, with your own photos:")
    program = Path(sys.executable).parent / "seesay"
    shown = program.relative_to(Path.cwd()) if program.is_relative_to(Path.cwd()) else program
    for command in (
        "index ~/Pictures",
        'search "snow on a mountain" --html out/mine.html',
        "search --image photo.jpg",
        'classify photo.jpg --labels "cat,dog,owl"',
    ):
        console.print(f"  {shown} {command}", markup=False)


def heading(title: str, note: str = "") -> None:
    console.print(f"\n[bold]{escape(title)}[/bold]" + (f"  ({note})" if note else ""))


def results(number: str, name: str) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column(number, justify="right")
    table.add_column(name)
    return table


def index(library: seesay.Library, folder: Path) -> None:
    heading(f"Index {folder.name}", "run it again: only what is new is read")
    with Progress(console=console, transient=True) as bars:
        task = bars.add_task("Indexing", total=None)
        report = library.index(folder, progress=lambda done, total: bars.update(task, completed=done, total=total))
    console.print(
        f"{report.encoded} encoded, {report.unchanged} unchanged, {len(report.failed)} failed in {report.seconds:.1f} s"
    )


def search(library: seesay.Library, query: str) -> SearchSection:
    heading(f'Search "{query}"')
    return SearchSection(query, show(library.search(query, n=5)))


def search_like(library: seesay.Library, path: str) -> SearchSection:
    heading(f"Search with {Path(path).name}")
    return SearchSection("", show(library.search(image=path, n=5)), path)


def show(hits: Sequence[seesay.Hit]) -> Sequence[seesay.Hit]:
    table = results("sure" if hits[0].relevance is not None else "cosine", "picture")
    for hit in hits:
        sure = f"{hit.score:.3f}" if hit.relevance is None else f"{hit.relevance:.0%}"
        table.add_row(sure, f"{Path(hit.path).parent.name}/{hit.name}" + ("  (less likely)" if hit.likely is False else ""))
    console.print(table)
    return hits


def classify(model: seesay.Model, path: str) -> ClassificationSection:
    (probabilities,) = model.classify(path, LABELS)
    ranked = sorted(zip(LABELS, map(float, probabilities), strict=True), key=lambda pair: -pair[1])
    heading(f"What is {Path(path).name}?", "no training: only these labels' words")
    table = results("probability", "label")
    for label, probability in ranked[:5]:
        table.add_row(f"{probability:.1%}", label)
    console.print(table)
    return ClassificationSection(path, dict(ranked))


if __name__ == "__main__":
    main()
