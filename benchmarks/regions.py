"""Whether parts of pictures, `seesay index --regions`, find small things: names of things in photos of rooms.

    SEESAY_DATA=... python benchmarks/regions.py [--quick] [--json]

The set has 39 photos with 295 boxes of 30 names. A library of them is searched for each name, as people do, without and with
parts; a photo is right if it has a box of that name. Recall at 5 is the share of a name's photos among the first five, of at
most five; AP is average precision over all photos. "Small": photos whose largest box of the name covers less than 4 %, the
other photos with that name left aside. Peer: whole pictures. The interval is that of 90 % of 1,000 draws of the names.

Goals: recall and AP of whole pictures are at most those with parts.
"""

import tempfile
import time
from pathlib import Path

import numpy as np
import pictures
from benchmark import Goal, Result, Table, run
from detection import WORDS

from seesay.library import Library

SMALL = 0.04
FIRST = 5


def measure(quick: bool) -> Result:
    result = Result()
    data = pictures.data()
    if data is None:
        result.notes.append("Photos with boxes are needed: SEESAY_DATA=folder with boxes/images and boxes/boxes")
        return result
    folder = data / "boxes"
    names, stems, areas = _areas(folder / "boxes")
    with tempfile.TemporaryDirectory() as place, Library(Path(place) / "library") as library:
        start = time.perf_counter()
        library.index(folder / "images")
        middle = time.perf_counter()
        orders = [_orders(library, names, stems)]
        begin, size = time.perf_counter(), _bytes(library.path)
        library.index(folder / "images", regions=True)
        end, more = time.perf_counter(), _bytes(library.path)
        orders.append(_orders(library, names, stems))
        searched = time.perf_counter()
        for name in names:
            library.search(name, n=10)
        searched = (time.perf_counter() - searched) / len(names)
    wholes, parts = (np.asarray([_scores(order, areas[:, at]) for at, order in enumerate(each)]) for each in orders)
    columns = ("recall at 5", "AP", "recall at 5, small", "AP, small")
    rows = [
        (what, *(f"{value:.1%}" for value in np.nanmean(each, axis=0)))
        for what, each in (("whole pictures", wholes), ("with parts", parts))
    ]
    rows.append(("difference, 90 % of draws", *_intervals(parts - wholes)))
    result.tables = [Table(f"{len(names)} names in {len(stems)} photos", ("library", *columns), rows)]
    for at, what in enumerate(columns):
        whole, part = float(np.nanmean(wholes[:, at])), float(np.nanmean(parts[:, at]))
        result.figures[what.replace(" ", "_").replace(",", "")] = {"whole": round(whole, 4), "parts": round(part, 4)}
        if at < 2:
            result.goals.append(Goal(f"{what} of whole pictures, to that with parts", whole / part, 1.0))
    seconds, more_seconds, kilobytes = (
        (middle - start) / len(stems),
        (end - begin) / len(stems),
        (more - size) / len(stems) / 1000,
    )
    result.figures |= {"index_s": round(seconds, 4), "regions_s": round(more_seconds, 4), "kilobytes": round(kilobytes, 1)}
    result.notes.append(
        f"Six parts of a photo took {more_seconds * 1000:.0f} ms and {kilobytes:.0f} kB; the whole one took "
        f"{seconds * 1000:.0f} ms. A search then takes {searched * 1000:.0f} ms."
    )
    return result


def _areas(folder: Path) -> tuple[list[str], list[str], np.ndarray]:
    """Names, photos, and the share of each photo that its largest box of each name covers (photos, names); 0: none."""
    boxes = {
        file.stem: [line.split() for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
        for file in sorted(folder.glob("*.txt"))
    }
    names = sorted({line[0] for lines in boxes.values() for line in lines})
    areas = np.zeros((len(boxes), len(names)))
    for row, lines in enumerate(boxes.values()):
        for name, *sides in lines:
            x0, y0, x1, y1 = map(float, sides[:4])
            areas[row, names.index(name)] = max(areas[row, names.index(name)], (x1 - x0) * (y1 - y0) / (640 * 480))
    return [WORDS.get(name, name) for name in names], list(boxes), areas


def _orders(library: Library, names: list[str], stems: list[str]) -> list[list[int]]:
    """Every name's photos, best first."""
    return [[stems.index(Path(hit.path).stem) for hit in library.search(name, n=len(stems))] for name in names]


def _scores(order: list[int], areas: np.ndarray) -> tuple[float, float, float, float]:
    """Recall at 5 and AP of all photos of a name, and of those where it is small."""
    found, small = areas[order], (areas[order] > 0) & (areas[order] < SMALL)
    return (*_recall_and_precision(found > 0), *_recall_and_precision(small[(found == 0) | small]))


def _recall_and_precision(right: np.ndarray) -> tuple[float, float]:
    if not right.any():
        return float("nan"), float("nan")
    at = np.flatnonzero(right) + 1
    return float(right[:FIRST].sum() / min(FIRST, len(at))), float((np.arange(1, len(at) + 1) / at).mean())


def _intervals(differences: np.ndarray) -> list[str]:
    draw = np.random.default_rng(0)
    means = [np.nanmean(differences[draw.integers(0, len(differences), len(differences))], axis=0) for _ in range(1000)]
    low, high = np.quantile(means, [0.05, 0.95], axis=0)
    return [f"{a * 100:+.1f} to {b * 100:+.1f}" for a, b in zip(low, high, strict=True)]


def _bytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


if __name__ == "__main__":
    run("regions", __doc__ or "", measure)
