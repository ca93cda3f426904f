"""The report of a run: curves of loss, temperature and recall, and example searches, as one HTML page."""

from collections.abc import Sequence
from pathlib import Path

from seesay.evaluation.report import Answer, Example, Examples, LinePlot, Plot, Report, Table
from seesay.evaluation.summary import share_with_interval
from seesay.render.report import write_html
from seesay.training.recipe import Recipe
from seesay.training.run.log import Record, read_log
from seesay.training.validation import Search, ways_of

POINTS = 400  # largest number of points of a curve


def write_report(recipe: Recipe, searches: Sequence[Search], facts: Sequence[str]) -> Path:
    """Writes `report.html` into the run's folder, from its log; `facts` come first. Raises InputError, MissingExtra."""
    records = read_log(recipe.folder / "log.jsonl")
    steps = [record for record in records if "loss" in record]
    checks = [record for record in records if "score" in record]
    figures: list[Plot] = [
        _curves("Loss", steps, _losses(steps), "loss"),
        _curves("Temperature", steps, ["temperature"], "temperature"),
        _curves("Learning rate", steps, ["learning_rate"], "learning rate"),
    ]
    ways = ways_of(checks[0]) if checks else {}
    figures += [_scores(f"{title}: {_measure(way)} on the validation data", checks, way) for way, title in ways.items()]
    tables = (_table(checks),) if checks else (_summary(steps),)
    report = Report(recipe.name, tuple(facts), tables, tuple(figures), (_examples(searches),) if searches else ())
    file = report_file(recipe)
    write_html(file, report)
    return file


def report_file(recipe: Recipe) -> Path:
    """Where the report is."""
    return recipe.folder / "report.html"


def _losses(steps: Sequence[Record]) -> list[str]:
    return [name for name in (steps[-1] if steps else {}) if name == "loss" or name.endswith("_loss")]


def _curves(title: str, steps: Sequence[Record], names: Sequence[str], y: str) -> LinePlot:
    """A line plot of means over stretches of steps, so that a long run remains legible."""
    stretch = max(1, -(-len(steps) // POINTS))
    parts = [steps[start : start + stretch] for start in range(0, len(steps), stretch)]
    xs = [part[-1]["step"] for part in parts]
    series = {name: (xs, [sum(record[name] for record in part) / len(part) for part in parts]) for name in names}
    return LinePlot(title, series, x="step", y=y)


def _scores(title: str, checks: Sequence[Record], way: str) -> LinePlot:
    xs = [record["step"] for record in checks]
    ks = list(checks[0][way])
    series = {k: (xs, [record[way][k] for record in checks]) for k in ks}
    bands: dict[str, tuple[list[float], list[float]]] = {}
    for k in ks:
        bounds = [record["bounds"][way][k] for record in checks]
        bands[k] = ([low for low, _ in bounds], [high for _, high in bounds])
    return LinePlot(title, series, x="step", y=_measure(way), bands=bands, percent=True)


def _table(checks: Sequence[Record]) -> Table:
    best = max(checks, key=lambda record: record["score"])
    rows = [
        (f"{title}, {name} (step {record['step']})", *_cells(record, way))
        for way, title in ways_of(best).items()
        for name, record in (("best", best), ("last", checks[-1]))
    ]
    first = next(iter(ways_of(best)))
    return Table(f"{_measure(first).capitalize()} on the validation data", ("", *best[first]), tuple(rows))


def _measure(way: str) -> str:
    return "accuracy" if way == "classification" else "recall"


def _cells(record: Record, way: str) -> list[str]:
    bounds: dict[str, list[float]] = record["bounds"][way]
    return [share_with_interval(share, bounds[k]) for k, share in record[way].items()]


def _summary(steps: Sequence[Record]) -> Table:
    rows = (
        tuple((str(r["step"]), f"{r['loss']:.4f}", f"{r['temperature']:.4f}") for r in (steps[0], steps[-1])) if steps else ()
    )
    return Table("First and last", ("step", "loss", "temperature"), rows)


def _examples(searches: Sequence[Search]) -> Examples:
    examples = []
    for search in searches:
        rank = search.results.index(search.target) + 1 if search.target in search.results else None
        note = f"its own picture in place {rank}" if rank else f"its own picture is not among the first {len(search.results)}"
        answers = tuple(Answer(Path(image), image == search.target) for image in search.results)
        examples.append(Example(search.text, note, answers))
    return Examples("What texts of the validation data find", tuple(examples))
