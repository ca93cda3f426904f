"""Plots as SVG text for a page: transparent, in the page's own text colour and font, so that they suit light and dark.

matplotlib (extra eval) lays them out; letters stay letters, and the browser draws them, Chinese ones too.
"""

import html
import io
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from seesay.errors import MissingExtra

INK = "#010203"  # what matplotlib draws in it takes the colour of the page's text
COLOURS = ("#3b82f6", "#f59e0b", "#10b981", "#ef4444", "#a855f7", "#14b8a6", "#ec4899", "#84a03b")
WIDTH = 5.6  # inches; a page sets two beside each other
LEGEND = 72  # letters that a line of a legend takes
NUMBERED_CELLS = 15  # classes up to which a confusion matrix carries its numbers
NAMED_CELLS = 45  # and its names
SALT = "seesay"  # the same plot is the same text

Series = Mapping[str, tuple[Sequence[float], Sequence[float]]]


def require() -> None:
    """Raises MissingExtra where matplotlib is not installed."""
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise MissingExtra("a report with plots", "eval") from None


def line_plot(
    series: Series,
    *,
    x: str,
    y: str,
    bands: Series | None = None,
    log_x: bool = False,
    percent: bool = False,
    ticks: Sequence[float] | None = None,
) -> str:
    """Lines by name, each its xs and ys -> SVG. `bands` by the same names: the lower and upper ys of each point.

    `percent` writes ys of 0..1 as percents; `ticks` are the xs to write out. Lines with few points get dots.
    """
    with _drawing() as (figure, words):
        axes = figure.add_subplot()
        figure.set_size_inches(WIDTH, 3)
        for number, (name, (xs, ys)) in enumerate(series.items()):
            colour = COLOURS[number % len(COLOURS)]
            marker = "o" if len(xs) <= 20 else None
            axes.plot(xs, ys, color=colour, marker=marker, markersize=3.5, linewidth=1.8, label=words.stand_in(name))
            if bands and name in bands:
                low, high = bands[name]
                axes.fill_between(xs, low, high, color=colour, alpha=0.16 if len(series) <= 3 else 0.06, linewidth=0)
        if log_x:
            axes.set_xscale("log")
        if ticks is not None:
            axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
            axes.minorticks_off()
        if percent:
            _percents(axes.yaxis)
        axes.set_xlabel(words.stand_in(x))
        axes.set_ylabel(words.stand_in(y))
        _plain(axes, grid="y")
        _legend(axes, list(series))
        return words.svg(figure)


def bar_plot(groups: Mapping[str, Mapping[str, float]], *, x: str) -> str:
    """Shares 0..1 as bars from the left: per row's name, per group's (a model's) name its value -> SVG. NaN is a gap."""
    kinds = list(dict.fromkeys(kind for row in groups.values() for kind in row))
    with _drawing() as (figure, words):
        axes = figure.add_subplot()
        thick = 0.8 / max(1, len(kinds))
        figure.set_size_inches(WIDTH, 0.7 + len(groups) * (0.13 + 0.1 * len(kinds)))
        for number, kind in enumerate(kinds):
            places = np.arange(len(groups)) + (number - (len(kinds) - 1) / 2) * thick
            values = [row.get(kind, np.nan) for row in groups.values()]
            axes.barh(places, values, height=0.92 * thick, color=COLOURS[number % len(COLOURS)], label=words.stand_in(kind))
        axes.set_yticks(range(len(groups)), [words.stand_in(name) for name in groups])
        axes.set_ylim(len(groups) - 0.4, -0.6)
        axes.set_xlim(0, 1)
        axes.set_xlabel(words.stand_in(x))
        _percents(axes.xaxis)
        _plain(axes, grid="x")
        axes.spines["bottom"].set_visible(False)
        axes.tick_params(axis="y", length=0)
        _legend(axes, kinds)
        return words.svg(figure)


def confusion_plot(counts: np.ndarray, names: Sequence[str]) -> str:
    """(C, C) pictures of the row's class that were taken for the column's -> SVG; each row shaded by its shares."""
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    size = len(names)
    with _drawing() as (figure, words):
        axes = figure.add_subplot()
        side = min(WIDTH, max(2.4, 0.42 * size)) if size <= NUMBERED_CELLS else WIDTH - 1
        figure.set_size_inches(side, side)
        pixels = np.zeros((size, size, 4))
        pixels[..., :3] = np.array([int(COLOURS[0][i : i + 2], 16) for i in (1, 3, 5)]) / 255
        pixels[..., 3] = 0.9 * shares**0.6  # a few pictures in the wrong column should be seen
        axes.imshow(pixels, interpolation="none")
        if size <= NAMED_CELLS:
            small = 9 if size <= 25 else 7
            shown = [words.stand_in(name) for name in names]
            upright: Any = {"rotation": 90, "rotation_mode": "anchor", "ha": "right", "va": "center"}
            axes.set_xticks(range(size), shown, fontsize=small, **upright)
            axes.set_yticks(range(size), shown, fontsize=small)
        else:
            axes.set_xticks([])
            axes.set_yticks([])
        if size <= NUMBERED_CELLS:
            for row, column in np.argwhere(counts):
                axes.text(column, row, str(counts[row, column]), ha="center", va="center", fontsize=8)
        axes.set_xlabel("taken for")
        axes.set_ylabel("is")
        _plain(axes, grid=None)
        axes.tick_params(length=0)
        for spine in axes.spines.values():
            spine.set_visible(True)
        return words.svg(figure)


def _legend(axes: Any, names: Sequence[str]) -> None:
    """Above the axes, in as many columns as fit; one line needs none."""
    if len(names) > 1:
        columns = max(1, min(len(names), LEGEND // (6 + max(map(len, names)))))
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0.3, ncols=columns, frameon=False)


def _percents(axis: Any) -> None:
    from matplotlib.ticker import PercentFormatter

    axis.set_major_formatter(PercentFormatter(1.0, symbol="%"))


def _plain(axes: Any, *, grid: str | None) -> None:
    for side in ("top", "right", "left") if grid == "y" else ("top", "right"):
        axes.spines[side].set_visible(False)
    if grid:
        axes.grid(axis=grid, alpha=0.16, linewidth=0.8)
        axes.set_axisbelow(True)
    if grid == "y":
        axes.tick_params(axis="y", length=0)


@contextmanager
def _drawing() -> "Iterator[tuple[Any, _Words]]":
    """An empty figure under our settings, and what puts words into it. Nothing global stays changed."""
    require()
    import matplotlib
    from matplotlib.figure import Figure

    settings: Any = {
        "svg.fonttype": "none",
        "svg.hashsalt": SALT,
        "font.size": 9.5,
        "text.color": INK,
        "axes.labelcolor": INK,
        "axes.edgecolor": INK,
        "axes.facecolor": "none",
        "axes.linewidth": 0.7,
        "xtick.color": INK,
        "ytick.color": INK,
        "grid.color": INK,
    }
    with matplotlib.rc_context(settings):
        yield Figure(), _Words()


class _Words:
    """Words of the user's stand in the layout as digits of about their width, and take their place in the finished text.

    matplotlib's fonts may know neither their letters nor the width of those, and it would read a dollar sign as mathematics.
    """

    def __init__(self) -> None:
        self._given: dict[str, str] = {}

    def stand_in(self, text: str) -> str:
        width = sum(1.6 if unicodedata.east_asian_width(letter) in "WF" else 0.9 for letter in text)
        digits = f"{len(self._given):03d}".rjust(max(3, round(width) - 1), "0")
        self._given[f"N{digits}"] = text
        return f"N{digits}"

    def svg(self, figure: Any) -> str:
        stream = io.StringIO()
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(stream, format="svg", transparent=True, bbox_inches="tight", metadata=nothing)
        text = stream.getvalue()
        text = text[text.index("<svg") :]
        text = re.sub(r"<metadata>.*?</metadata>\s*", "", text, flags=re.DOTALL)
        text = re.sub(r'<g id="[^"]*"', "<g", text)  # two plots on a page must not share names; nothing refers to these
        text = re.sub(r"font: (?:[a-z0-9]+ )*?([\d.]+px)[^;\"]*", r"font-size: \1", text)  # the page's own font; matplotlib 3.9
        text = re.sub(r"font-family: [^;\"]*; ?", "", text)  # the same, 3.11
        text = text.replace(INK, "currentColor").replace("<svg ", '<svg role="img" ', 1)
        return re.sub(r"\bN\d{3,}\b", lambda found: html.escape(self._given.get(found[0], found[0])), text)
