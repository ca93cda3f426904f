"""`Predictions` of a model, and how `seesay classify` shows them: as text, JSON or CSV."""

import csv
import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from gettext import gettext as _
from gettext import ngettext
from typing import NamedTuple

import click

from seesay.cli.output import bar, short
from seesay.library.indexing.report import Failure

SHOWN_LABELS = 10
FEW = 20  # pictures; more get a line each


@dataclass(frozen=True)
class Prediction:
    """One picture. probabilities: by label. none: of "none of these", where that is asked for. fitting: the labels that fit,
    the best first."""

    path: str
    probabilities: dict[str, float]
    none: float | None
    fitting: tuple[str, ...]

    @property
    def best(self) -> str | None:
        """The label that fits best; None where none fits well enough."""
        return self.fitting[0] if self.fitting else None

    def to_json(self, *, multi: bool) -> dict[str, object]:
        """As `--json` prints it."""
        document: dict[str, object] = {
            "path": self.path,
            "best": self.best,
            "probabilities": {label: round(p, 6) for label, p in self.probabilities.items()},
        }
        if self.none is not None:
            document["none"] = round(self.none, 6)
        if multi:
            document["labels"] = list(self.fitting)
        return document


class Calibrated(NamedTuple):
    """What fitting the scale on labelled pictures did. errors: expected calibration errors, before and after, held out."""

    pictures: int
    scale_before: float
    scale: float
    error_before: float
    error: float

    def to_json(self) -> dict[str, float]:
        """As `--json` prints it."""
        return {name: round(value, 4) for name, value in self._asdict().items()}


@dataclass(frozen=True)
class Predictions:
    """What one model says of all pictures, and which it could not read. score: how it makes probabilities."""

    model: str | None
    space_id: str
    score: str
    results: list[Prediction]
    failed: list[Failure]
    calibrated: Calibrated | None = None

    @cached_property
    def by_path(self) -> dict[str, Prediction]:
        """The results by their pictures' paths."""
        return {each.path: each for each in self.results}

    def to_json(self, *, multi: bool) -> dict[str, object]:
        """As `--json` prints it."""
        calibrated = {} if self.calibrated is None else {"calibrated": self.calibrated.to_json()}
        results = [each.to_json(multi=multi) for each in self.results]
        return {"space_id": self.space_id, "score": self.score, **calibrated, "results": results}


def models_json(predictions: Sequence[Predictions], *, multi: bool) -> dict[str, object]:
    """The results of one model, or a list of those of several."""
    documents = [one.to_json(multi=multi) for one in predictions]
    if len(documents) == 1:
        return documents[0]
    return {"models": [{"model": one.model, **document} for one, document in zip(predictions, documents, strict=True)]}


def echo_predictions(one: Predictions) -> None:
    """Prints a chart per picture, or for many a line each and the counts."""
    from rich.cells import cell_len  # Chinese letters are two columns wide

    if len(one.results) <= FEW:
        for each in one.results:
            _chart(each)
        return
    named = [", ".join(each.fitting) or _("none of these") for each in one.results]
    width = max(map(cell_len, named))
    for each, name in zip(one.results, named, strict=True):
        sure = each.probabilities[each.best] if each.best is not None else (each.none or 0.0)
        click.echo(f"{sure:6.1%}  {bar(sure)}  {name}{' ' * (width - cell_len(name))}  {short(each.path)}")
    _echo_counts(one.results)


def _echo_counts(results: Sequence[Prediction]) -> None:
    """Prints how many pictures each label fits, the most first."""
    counts = Counter(label for each in results for label in (each.fitting or (None,)))
    for label, count in sorted(counts.items(), key=lambda pair: (pair[0] is None, -pair[1])):
        pictures = ngettext("{count:,} picture", "{count:,} pictures", count).format(count=count)
        click.echo(f"{_('none of these') if label is None else label}: {pictures}")


def _chart(one: Prediction) -> None:
    click.echo(click.style(short(one.path), bold=True))
    rows: list[tuple[str | None, float]] = sorted(one.probabilities.items(), key=lambda pair: -pair[1])
    rows = rows[:SHOWN_LABELS]
    if one.none is not None:
        rows = sorted([*rows, (None, one.none)], key=lambda pair: -pair[1])
    for label, probability in rows:
        name = _("none of these") if label is None else label
        chosen = label in one.fitting if label is not None else not one.fitting
        click.echo(f"  {probability:6.1%}  {bar(probability, 30)}  {click.style(name, bold=chosen)}")


def echo_side_by_side(path: str, labels: Sequence[str], predictions: Sequence[Predictions]) -> None:
    """Prints a column per model, the likeliest labels over all models first, each model's best in bold."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    found = [one.by_path.get(path) for one in predictions]  # None if a URL could not be fetched again
    columns = [{} if each is None else each.probabilities for each in found]
    table = Table(box=None, pad_edge=False)
    table.add_column(Text(short(path), style="bold"))
    for one in predictions:
        table.add_column(Text(short(one.model or "")), justify="right", max_width=24)
    ranked = sorted(labels, key=lambda label: -sum(column.get(label, 0.0) for column in columns))
    for label in ranked[:SHOWN_LABELS]:
        cells = [
            Text(f"{p[label]:.1%}", style="bold" if p[label] == max(p.values()) else "") if p else Text("-") for p in columns
        ]
        table.add_row(Text(f"  {label}"), *cells)
    if any(each is not None and each.none is not None for each in found):
        table.add_row(
            Text("  " + _("none of these")),
            *(Text("-" if each is None or each.none is None else f"{each.none:.1%}") for each in found),
        )
    Console(highlight=False).print(table)


def echo_csv(one: Predictions, labels: Sequence[str], *, none: bool) -> None:
    """Prints a table: path, best, then a column of probabilities per label, and one of "none of these" if asked for."""
    lines = io.StringIO()
    writer = csv.writer(lines, lineterminator="\n")
    writer.writerow(["path", "best", *labels, *(["none of these"] if none else [])])
    for each in one.results:
        values = [*(each.probabilities[label] for label in labels), *([each.none or 0.0] if none else [])]
        writer.writerow([each.path, "|".join(each.fitting), *(f"{value:.6f}" for value in values)])
    click.echo(lines.getvalue(), nl=False)
