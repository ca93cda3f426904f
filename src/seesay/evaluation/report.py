"""A report as data: facts, tables, plots and examples, which `render` writes as Markdown and as a page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

ROWS_SHOWN = 20

Series = Mapping[str, tuple[Sequence[float], Sequence[float]]]


@dataclass(frozen=True)
class Table:
    """Rows of text under column headings. shown: rows that a terminal prints. detail: a page has it below the plots."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    shown: int = ROWS_SHOWN
    detail: bool = False


@dataclass(frozen=True)
class LinePlot:
    """Lines by name, each (xs, ys), with the axes' labels. bands: by the same names, the lower and upper bound of each y.

    percent: ys are shares in 0..1, written as percents. ticks: the xs to write on the axis.
    """

    title: str
    lines: Series
    x: str
    y: str
    bands: Series | None = None
    log_x: bool = False
    percent: bool = False
    ticks: Sequence[float] | None = None
    note: str = ""


@dataclass(frozen=True)
class BarPlot:
    """Shares in 0..1 as horizontal bars: row -> series (such as a model) -> share. NaN, or none, leaves a gap."""

    title: str
    rows: Mapping[str, Mapping[str, float]]
    x: str
    note: str = ""


@dataclass(frozen=True)
class ConfusionPlot:
    """A confusion matrix (C, C): pictures of the row's class that were taken for the column's."""

    title: str
    counts: np.ndarray
    names: Sequence[str]
    note: str = ""


Plot = LinePlot | BarPlot | ConfusionPlot


class Answer(NamedTuple):
    """A text, or a picture (Path), found for a query."""

    item: str | Path
    right: bool


@dataclass(frozen=True)
class Example:
    """A query, a text or a picture (Path), and what was found for it, best first."""

    query: str | Path
    note: str
    answers: tuple[Answer, ...] = ()


@dataclass(frozen=True)
class Examples:
    """Examples of one kind."""

    title: str
    examples: tuple[Example, ...]


@dataclass(frozen=True)
class Report:
    """Scores of one model, or of several side by side."""

    title: str
    facts: tuple[str, ...]
    tables: tuple[Table, ...]
    plots: tuple[Plot, ...] = ()
    examples: tuple[Examples, ...] = ()
