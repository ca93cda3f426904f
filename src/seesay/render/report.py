"""Scores of one model or several, side by side, as tables, Markdown, and a page with plots and examples."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from seesay.evaluation.runs import ClassificationRun, Degree, ProbeRun, RetrievalRun, RobustnessRun, Run
from seesay.images.thumbnail import thumbnail_url
from seesay.render import plots
from seesay.render.page import write_page
from seesay.system.paths import is_url, printable

CURVE = (1, 2, 3, 5, 10, 20, 50, 100)  # the ks of a recall curve
SAMPLES = 8  # examples of a kind on a page
ANSWERS = 5  # pictures or texts shown for one query
THUMBNAIL_PX = 200
ROWS_SHOWN = 20
BARS = 40
WAYS = {"text_to_image": "Text to image", "image_to_text": "Image to text"}


@dataclass(frozen=True)
class Table:
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    shown: int = ROWS_SHOWN  # rows on a terminal
    detail: bool = False  # stands after the plots


@dataclass(frozen=True)
class Plot:
    title: str
    svg: str
    note: str = ""


@dataclass(frozen=True)
class Example:
    """A query, a text or a picture, and what was found for it: (text or picture, whether it is right)."""

    query: str | Path
    note: str
    answers: tuple[tuple[str | Path, bool], ...] = ()


@dataclass(frozen=True)
class Examples:
    title: str
    examples: tuple[Example, ...]


@dataclass(frozen=True)
class Report:
    title: str
    facts: tuple[str, ...]
    tables: tuple[Table, ...]
    plots: tuple[Plot, ...] = ()
    examples: tuple[Examples, ...] = ()


# What each kind of run says; with `page` also its plots and examples


def of_retrieval(runs: Sequence[RetrievalRun], title: str, page: bool) -> Report:
    tables = []
    for way, name in WAYS.items():
        rows = []
        for run in runs:
            direction = run.found.directions[way]
            cells = [shown_share(share, direction.bounds[k]) for k, share in direction.recall.items()]
            rows.append((run.name, *cells, f"{direction.median_rank:g}"))
        columns = ("", *runs[0].found.directions[way].recall, "median rank")
        tables.append(Table(name, columns, tuple(rows)))
    of = runs[0].captions
    language = f" in {of.language}" if of.language else ""
    facts = [f"{len(of.images)} pictures, {len(of.texts)} texts{language}", *_facts(runs)]
    if not page:
        return Report(title, tuple(facts), tuple(tables))
    drawn = tuple(Plot(f"{name}: recall at k", _recall_curves(runs, way)) for way, name in WAYS.items())
    examples = (_found(runs[0], right=True), _found(runs[0], right=False))
    return Report(title, tuple(facts), tuple(tables), drawn, tuple(each for each in examples if each.examples))


def of_zero_shot(runs: Sequence[ClassificationRun], title: str, page: bool) -> Report:
    return _of_classification(runs, title, page, f"{len(runs[0].templates)} templates, such as {runs[0].templates[-1]!r}")


def of_linear_probe(runs: Sequence[ProbeRun], title: str, page: bool) -> Report:
    shots = f", at most {runs[0].shots} of each class" if runs[0].shots else ""
    report = _of_classification(runs, title, page, f"learnt from {_pictures(runs[0])} pictures{shots}")
    rows = tuple((run.name, f"{run.probe.c:.4g}", _pictures(run)) for run in runs if run.probe)
    tables = (report.tables[0], Table("Fit", ("", "C", "training pictures"), rows), *report.tables[1:])
    drawn = report.plots
    sweeps = {run.name: run.probe.sweep for run in runs if run.probe and run.probe.sweep}
    if page and sweeps:
        lines = {name: (list(sweep), list(sweep.values())) for name, sweep in sweeps.items()}
        svg = plots.line_plot(lines, x="C", y="accuracy on the validation part", log_x=True, percent=True)
        drawn = (*drawn, Plot("The choice of C", svg))
    return Report(report.title, report.facts, tables, drawn, report.examples)


def of_robustness(runs: Sequence[RobustnessRun], title: str, page: bool) -> Report:
    tables, drawn = [], []
    for metric in runs[0].clean.scores:
        rows = tuple((run.name, shown_share(*_of(run.clean, metric)), f"{run.mean[metric]:.1%}") for run in runs)
        tables.append(Table(f"{metric}: as they are, and the mean over all corruptions", ("", "clean", "mean"), rows))
        severities = sorted({degree.severity for degree in runs[0].degrees})
        for run in runs:
            by_name = _by_corruption(run)
            cells = tuple((name, *(f"{d.scores[metric]:.1%}" for d in degrees)) for name, degrees in by_name.items())
            tables.append(Table(f"{metric} of {run.name}, by severity", ("", *map(str, severities)), cells))
            if page:
                lines = {n: [run.clean, *degrees] for n, degrees in by_name.items()}
                svg = plots.line_plot(
                    {n: ([d.severity for d in row], [d.scores[metric] for d in row]) for n, row in lines.items()},
                    bands={n: _bands([d.bounds[metric] for d in row]) for n, row in lines.items()},
                    x="severity (0: as it is)",
                    y=metric,
                    percent=True,
                    ticks=[0, *severities],
                )
                drawn.append(Plot(f"{metric} of {run.name}", svg))
    return Report(title, (f"{runs[0].pictures} pictures", *_facts(runs)), tuple(tables), tuple(drawn))


def _of_classification(runs: Sequence[ClassificationRun], title: str, page: bool, how: str) -> Report:
    first = runs[0].score
    rows = []
    for run in runs:
        means = {"top1": run.score.top1, "top5": run.score.top5, "mean_per_class_recall": run.score.mean_per_class_recall}
        rows.append((run.name, *(shown_share(mean, run.bounds[name]) for name, mean in means.items())))
    tables = [Table("Classification", ("", "top-1", "top-5", "mean per class"), tuple(rows))]
    order = [int(i) for i in np.argsort(first.recall, kind="stable") if first.counts[i]]  # the worst first
    per_class = tuple((first.names[i], str(first.counts[i]), *(f"{run.score.recall[i]:.1%}" for run in runs)) for i in order)
    recall = ("recall",) if len(runs) == 1 else tuple(run.name for run in runs)
    tables.append(Table("Recall of each class, the lowest first", ("class", "pictures", *recall), per_class, detail=True))
    for run in runs:
        wrong = tuple((a, b, str(n)) for a, b, n in run.score.confused())
        of = f" by {run.name}" if len(runs) > 1 else ""
        tables.append(Table(f"What is taken for what{of}", ("is", "taken for", "pictures"), wrong, shown=10, detail=True))
    facts = (f"{len(first.labels)} pictures, {len(first.names)} classes", how, *_facts(runs))
    if not page:
        return Report(title, facts, tuple(tables))
    middle = f" (the {BARS // 2} lowest and the {BARS // 2} highest of {len(order)} classes)" if len(order) > BARS else ""
    barred = order if len(order) <= BARS else order[: BARS // 2] + order[-BARS // 2 :]
    bars = {first.names[i]: {run.name: float(run.score.recall[i]) for run in runs} for i in barred}
    drawn = [Plot(f"Recall of each class{middle}", plots.bar_plot(bars, x="recall"))]
    for run in runs:
        svg = plots.confusion_plot(run.score.confusion, run.score.names)
        drawn.append(Plot(f"Confusion, {run.name}", svg, "Each row is shaded by its shares; small ones are raised a little."))
    return Report(title, facts, tuple(tables), tuple(drawn), _mistaken(runs[0]))


# Plots and examples


def _recall_curves(runs: Sequence[RetrievalRun], way: str) -> str:
    lines, bands = {}, {}
    for run in runs:
        targets = len(run.captions.images if way == "text_to_image" else run.captions.texts)
        ks = tuple(k for k in CURVE if k <= targets)
        direction = replace(run.found.directions[way], ks=ks)
        lines[run.name] = (list(ks), list(direction.recall.values()))
        bands[run.name] = _bands(list(direction.bounds.values()))
    widest = max((xs for xs, _ in lines.values()), key=len)
    return plots.line_plot(lines, bands=bands, x="k", y="recall at k", log_x=True, percent=True, ticks=widest)


def _bands(bounds: Sequence[Sequence[float]]) -> tuple[list[float], list[float]]:
    return [low for low, _ in bounds], [high for _, high in bounds]


def _found(run: RetrievalRun, *, right: bool) -> Examples:
    """Texts, chosen at random, whose picture came first, or did not; and the pictures that came first."""
    captions, ranks = run.captions, run.found.text_to_image.ranks
    numbers = np.flatnonzero((ranks == 1) == right)
    chosen = np.sort(np.random.default_rng(0).permutation(numbers)[:SAMPLES])
    examples = []
    for i in chosen:
        best = np.argsort(-(run.images @ run.texts[i]), kind="stable")[:ANSWERS]
        answers = tuple((captions.images[b], bool(b == captions.owner[i])) for b in best)
        if not right:
            answers = (*answers[: ANSWERS - 1], (captions.images[captions.owner[i]], True)) if ranks[i] > ANSWERS else answers
        examples.append(Example(captions.texts[i], f"place {ranks[i]} of {len(captions.images)}", answers))
    what = "Texts whose picture came first" if right else "Texts whose picture did not come first"
    return Examples(f"{what} ({len(numbers)} of {len(ranks)}, {run.name})", tuple(examples))


def _mistaken(run: ClassificationRun) -> tuple[Examples, ...]:
    score = run.score
    wrong = np.flatnonzero(score.ranks > 1)
    if not len(wrong):
        return ()
    chosen = np.sort(np.random.default_rng(0).permutation(wrong)[: 2 * SAMPLES])
    examples = tuple(
        Example(_picture(run.data.images[i]), f"{score.names[score.labels[i]]}, taken for {score.names[score.predicted[i]]}")
        for i in chosen
    )
    return (Examples(f"Mistakes ({len(wrong)} of {len(score.labels)}, {run.name})", examples),)


def _by_corruption(run: RobustnessRun) -> Mapping[str, list[Degree]]:
    found: dict[str, list[Degree]] = {}
    for degree in run.degrees:
        found.setdefault(degree.corruption, []).append(degree)
    return found


def _picture(image: Path | str) -> Path:
    return Path(image)


def _pictures(run: ProbeRun) -> str:
    return str(len(run.probe.train)) if run.probe else "0"


def _of(degree: Degree, metric: str) -> tuple[float, tuple[float, float]]:
    return degree.scores[metric], degree.bounds[metric]


def shown_share(share: float, bound: Sequence[float]) -> str:
    """With its interval: 6.8% (5.7-8.0)."""
    return f"{share:.1%} ({100 * bound[0]:.1f}-{100 * bound[1]:.1f})"


def _facts(runs: Sequence[Run]) -> list[str]:
    failed = {path for run in runs for path in run.failed}
    facts = ["in brackets the 95 % interval, pictures resampled 1000 times"]
    return [*facts, f"{len(failed)} pictures could not be read"] if failed else facts


# Forms


def to_markdown(report: Report) -> str:
    """Title, facts and every table in full."""
    parts = [f"# {_cell(report.title)}", "\n".join(f"- {_cell(fact)}" for fact in report.facts)]
    for table in report.tables:
        if not table.rows:
            continue
        lines = ["| " + " | ".join(map(_cell, row)) + " |" for row in (table.columns, *table.rows)]
        lines.insert(1, "|---|" + "--:|" * (len(table.columns) - 1))
        parts.append(f"## {_cell(table.title)}\n\n" + "\n".join(lines))
    return "\n\n".join(parts) + "\n"


def write_html(file: Path, report: Report) -> None:
    """One self-contained page. Raises InputError where it cannot be written."""
    title = Path(report.title).name
    write_page(file, "report.html", "page", title=title, report=report, rows_shown=ROWS_SHOWN, small=_small, name=_name)


def _small(item: str | Path) -> str:
    """A picture's thumbnail; "" where it cannot be read any more."""
    return "" if is_url(item) else thumbnail_url(item, THUMBNAIL_PX)  # a page is made without the network


def _name(item: str | Path) -> str:
    return Path(item).name


def _cell(text: str) -> str:
    return printable(text).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")
