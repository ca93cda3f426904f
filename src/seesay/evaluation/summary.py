"""Runs of one model, or of several side by side, as a report: tables, and for a page also plots and examples."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from seesay.evaluation.report import Answer, BarPlot, ConfusionPlot, Example, Examples, LinePlot, Plot, Report, Table
from seesay.evaluation.retrieval import DIRECTIONS
from seesay.evaluation.runs import ClassificationRun, Degree, ProbeRun, RetrievalRun, RobustnessRun, Run

CURVE = (1, 2, 3, 5, 10, 20, 50, 100)  # the ks of a recall curve
SAMPLES = 8  # examples of a kind
ANSWERS = 5  # pictures shown for one text
BARS = 40


def retrieval_report(runs: Sequence[RetrievalRun], title: str, details: bool) -> Report:
    """Recall in both directions. details: with recall curves, and texts whose picture came first or did not."""
    tables = []
    for way, name in DIRECTIONS.items():
        rows = []
        for run in runs:
            direction = run.retrieval.directions[way]
            cells = [share_with_interval(share, direction.bounds[k]) for k, share in direction.recall.items()]
            rows.append((run.model.name, *cells, f"{direction.median_rank:g}"))
        columns = ("", *runs[0].retrieval.directions[way].recall, "median rank")
        tables.append(Table(name, columns, tuple(rows)))
    captions = runs[0].captions
    language = f" in {captions.language}" if captions.language else ""
    facts = (f"{len(captions.images)} pictures, {len(captions.texts)} texts{language}", *run_facts(runs))
    if not details:
        return Report(title, facts, tuple(tables))
    plots = tuple(_recall_curves(f"{name}: recall at k", runs, way) for way, name in DIRECTIONS.items())
    examples = (_text_searches(runs[0], right=True), _text_searches(runs[0], right=False))
    return Report(title, facts, tuple(tables), plots, tuple(each for each in examples if each.examples))


def zero_shot_report(runs: Sequence[ClassificationRun], title: str, details: bool) -> Report:
    """Classification by names. details: with recall per class, confusion and mistakes."""
    templates = runs[0].templates
    return _classification_report(runs, title, details, f"{len(templates)} templates, such as {templates[-1]!r}")


def linear_probe_report(runs: Sequence[ProbeRun], title: str, details: bool) -> Report:
    """As `zero_shot_report`, with how each probe was fitted."""
    shots = f", at most {runs[0].shots} of each class" if runs[0].shots else ""
    how = f"learnt from {len(runs[0].probe.train)} pictures{shots}"
    report = _classification_report(runs, title, details, how)
    rows = tuple((run.model.name, f"{run.probe.c:.4g}", str(len(run.probe.train))) for run in runs)
    tables = (report.tables[0], Table("Fit", ("", "C", "training pictures"), rows), *report.tables[1:])
    plots = report.plots
    sweeps = {run.model.name: run.probe.sweep for run in runs if run.probe.sweep}
    if details and sweeps:
        lines = {name: (list(sweep), list(sweep.values())) for name, sweep in sweeps.items()}
        y = "accuracy on the validation part"
        plots = (*plots, LinePlot("The choice of C", lines, x="C", y=y, log_x=True, percent=True))
    return replace(report, tables=tables, plots=plots)


def robustness_report(runs: Sequence[RobustnessRun], title: str, details: bool) -> Report:
    """Scores by corruption and severity. details: with a plot for each score and model."""
    tables: list[Table] = []
    plots: list[Plot] = []
    for metric in runs[0].clean.scores:
        rows = tuple((run.model.name, _share(run.clean, metric), f"{run.mean[metric]:.1%}") for run in runs)
        tables.append(Table(f"{metric}: as they are, and the mean over all corruptions", ("", "clean", "mean"), rows))
        severities = sorted({degree.severity for degree in runs[0].degrees})
        for run in runs:
            cells = tuple((name, *(f"{d.scores[metric]:.1%}" for d in degrees)) for name, degrees in run.by_corruption.items())
            tables.append(Table(f"{metric} of {run.model.name}, by severity", ("", *map(str, severities)), cells))
            if details:
                plots.append(_severity_plot(run, metric, severities))
    return Report(title, (f"{runs[0].pictures} pictures", *run_facts(runs)), tuple(tables), tuple(plots))


def share_with_interval(share: float, bound: Sequence[float]) -> str:
    """Such as 6.8% (5.7-8.0)."""
    return f"{share:.1%} ({100 * bound[0]:.1f}-{100 * bound[1]:.1f})"


def _classification_report(runs: Sequence[ClassificationRun], title: str, details: bool, how: str) -> Report:
    first = runs[0].score
    order = [int(i) for i in np.argsort(first.recall, kind="stable") if first.counts[i]]  # the lowest recall first
    tables = [_means_table(runs), _per_class_table(runs, order)]
    for run in runs:
        wrong = tuple((a, b, str(n)) for a, b, n in run.score.confused())
        of = f" by {run.model.name}" if len(runs) > 1 else ""
        tables.append(Table(f"What is taken for what{of}", ("is", "taken for", "pictures"), wrong, shown=10, detail=True))
    facts = (f"{len(first.labels)} pictures, {len(first.names)} classes", how, *run_facts(runs))
    if not details:
        return Report(title, facts, tuple(tables))
    note = "Each row is shaded by its shares; small ones are raised a little."
    confusions = (ConfusionPlot(f"Confusion, {r.model.name}", r.score.confusion, r.score.names, note=note) for r in runs)
    return Report(title, facts, tuple(tables), (_per_class_plot(runs, order), *confusions), _mistakes(runs[0]))


def _means_table(runs: Sequence[ClassificationRun]) -> Table:
    rows = []
    for run in runs:
        cells = (share_with_interval(mean, run.bounds[name]) for name, mean in run.score.means.items())
        rows.append((run.model.name, *cells))
    return Table("Classification", ("", "top-1", "top-5", "mean per class"), tuple(rows))


def _per_class_table(runs: Sequence[ClassificationRun], order: Sequence[int]) -> Table:
    first = runs[0].score
    rows = tuple((first.names[i], str(first.counts[i]), *(f"{run.score.recall[i]:.1%}" for run in runs)) for i in order)
    recall = ("recall",) if len(runs) == 1 else tuple(run.model.name for run in runs)
    return Table("Recall of each class, the lowest first", ("class", "pictures", *recall), rows, detail=True)


def _per_class_plot(runs: Sequence[ClassificationRun], order: Sequence[int]) -> BarPlot:
    names = runs[0].score.names
    selection = ""
    if len(order) > BARS:
        selection = f" (the {BARS // 2} lowest and the {BARS // 2} highest of {len(order)} classes)"
        order = [*order[: BARS // 2], *order[-BARS // 2 :]]
    title = f"Recall of each class{selection}"
    return BarPlot(title, {names[i]: {run.model.name: float(run.score.recall[i]) for run in runs} for i in order}, x="recall")


def _recall_curves(title: str, runs: Sequence[RetrievalRun], way: str) -> LinePlot:
    lines, bands = {}, {}
    for run in runs:
        targets = len(run.captions.images if way == "text_to_image" else run.captions.texts)
        ks = tuple(k for k in CURVE if k <= targets)
        direction = replace(run.retrieval.directions[way], ks=ks)
        lines[run.model.name] = (list(ks), list(direction.recall.values()))
        bands[run.model.name] = _band(list(direction.bounds.values()))
    ticks = max((xs for xs, _ in lines.values()), key=len)
    return LinePlot(title, lines, x="k", y="recall at k", bands=bands, log_x=True, percent=True, ticks=ticks)


def _severity_plot(run: RobustnessRun, metric: str, severities: Sequence[int]) -> LinePlot:
    degrees = {name: [run.clean, *worse] for name, worse in run.by_corruption.items()}
    return LinePlot(
        f"{metric} of {run.model.name}",
        {name: ([d.severity for d in row], [d.scores[metric] for d in row]) for name, row in degrees.items()},
        x="severity (0: as it is)",
        y=metric,
        bands={name: _band([d.bounds[metric] for d in row]) for name, row in degrees.items()},
        percent=True,
        ticks=[0, *severities],
    )


def _band(bounds: Sequence[Sequence[float]]) -> tuple[list[float], list[float]]:
    return [low for low, _ in bounds], [high for _, high in bounds]


def _text_searches(run: RetrievalRun, *, right: bool) -> Examples:
    """Random texts whose picture came first (`right`) or did not, each with the pictures that came first."""
    captions, ranks = run.captions, run.retrieval.text_to_image.ranks
    numbers = np.flatnonzero((ranks == 1) == right)
    examples = []
    for i in np.sort(np.random.default_rng(0).permutation(numbers)[:SAMPLES]):
        best = np.argsort(-(run.images @ run.texts[i]), kind="stable")[:ANSWERS]
        answers = [Answer(captions.images[b], bool(b == captions.owner[i])) for b in best]
        if ranks[i] > ANSWERS:  # its own picture last, in place of the last one shown
            answers = [*answers[: ANSWERS - 1], Answer(captions.images[captions.owner[i]], True)]
        examples.append(Example(captions.texts[i], f"place {ranks[i]} of {len(captions.images)}", tuple(answers)))
    what = "Texts whose picture came first" if right else "Texts whose picture did not come first"
    return Examples(f"{what} ({len(numbers)} of {len(ranks)}, {run.model.name})", tuple(examples))


def _mistakes(run: ClassificationRun) -> tuple[Examples, ...]:
    """Random pictures that are taken for another class."""
    score = run.score
    wrong = np.flatnonzero(score.ranks > 1)
    if not len(wrong):
        return ()
    examples = tuple(
        Example(Path(run.data.images[i]), f"{score.names[score.labels[i]]}, taken for {score.names[score.predicted[i]]}")
        for i in np.sort(np.random.default_rng(0).permutation(wrong)[: 2 * SAMPLES])
    )
    return (Examples(f"Mistakes ({len(wrong)} of {len(score.labels)}, {run.model.name})", examples),)


def _share(degree: Degree, metric: str) -> str:
    return share_with_interval(degree.scores[metric], degree.bounds[metric])


def run_facts(runs: Sequence[Run]) -> list[str]:
    """What the brackets in tables are, and how many pictures were left out."""
    failed = {path for run in runs for path in run.failed}
    facts = ["in brackets the 95 % interval, pictures resampled 1000 times"]
    return [*facts, f"{len(failed)} pictures could not be read"] if failed else facts
