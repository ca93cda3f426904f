"""Plots of a report as SVG for a page: transparent, in the page's own text colour and font, for light and dark.

matplotlib (extra eval) lays them out; letters stay letters, and the browser draws them, Chinese ones too.
"""

import io
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from xml.etree import ElementTree

import numpy as np

from seesay.errors import MissingExtra
from seesay.evaluation.report import BarPlot, ConfusionPlot, LinePlot, Plot

INK = "#010203"  # matplotlib draws in it what takes the colour of the page's text
COLOURS = ("#3b82f6", "#f59e0b", "#10b981", "#ef4444", "#a855f7", "#14b8a6", "#ec4899", "#84a03b")
WIDTH = 5.6  # inches; a page sets two plots beside each other
LEGEND = 72  # letters that a line of a legend takes
NUMBERED_CELLS = 15  # classes up to which a confusion matrix shows its numbers
NAMED_CELLS = 45  # and its names
SALT = "seesay"  # of the names that matplotlib gives to paths: the same plot becomes the same text
SVG = "http://www.w3.org/2000/svg"
XLINK = "http://www.w3.org/1999/xlink"


def require() -> None:
    """Raises MissingExtra if matplotlib is not installed."""
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise MissingExtra("a report with plots", "eval") from None


def draw_plot(plot: Plot) -> str:
    """An <svg> element; the same plot gives the same text. Raises MissingExtra."""
    with _figure() as (figure, words):
        match plot:
            case LinePlot():
                _draw_lines(figure, plot, words)
            case BarPlot():
                _draw_bars(figure, plot, words)
            case ConfusionPlot():
                _draw_confusion(figure, plot, words)
        return _page_svg(figure, words)


def _draw_lines(figure: Any, plot: LinePlot, words: "_Words") -> None:
    """Lines of few points get dots."""
    axes = figure.add_subplot()
    figure.set_size_inches(WIDTH, 3)
    for number, (name, (xs, ys)) in enumerate(plot.lines.items()):
        colour = COLOURS[number % len(COLOURS)]
        marker = "o" if len(xs) <= 20 else None
        axes.plot(xs, ys, color=colour, marker=marker, markersize=3.5, linewidth=1.8, label=words.stand_in(name))
        if plot.bands and name in plot.bands:
            low, high = plot.bands[name]
            axes.fill_between(xs, low, high, color=colour, alpha=0.16 if len(plot.lines) <= 3 else 0.06, linewidth=0)
    if plot.log_x:
        axes.set_xscale("log")
    if plot.ticks is not None:
        axes.set_xticks(plot.ticks, [f"{tick:g}" for tick in plot.ticks])
        axes.minorticks_off()
    if plot.percent:
        _percents(axes.yaxis)
    axes.set_xlabel(words.stand_in(plot.x))
    axes.set_ylabel(words.stand_in(plot.y))
    _plain(axes, grid="y")
    _legend(axes, list(plot.lines))


def _draw_bars(figure: Any, plot: BarPlot, words: "_Words") -> None:
    series = list(dict.fromkeys(name for row in plot.rows.values() for name in row))
    axes = figure.add_subplot()
    thick = 0.8 / max(1, len(series))
    figure.set_size_inches(WIDTH, 0.7 + len(plot.rows) * (0.13 + 0.1 * len(series)))
    for number, name in enumerate(series):
        positions = np.arange(len(plot.rows)) + (number - (len(series) - 1) / 2) * thick
        values = [row.get(name, np.nan) for row in plot.rows.values()]
        axes.barh(positions, values, height=0.92 * thick, color=COLOURS[number % len(COLOURS)], label=words.stand_in(name))
    axes.set_yticks(range(len(plot.rows)), [words.stand_in(name) for name in plot.rows])
    axes.set_ylim(len(plot.rows) - 0.4, -0.6)
    axes.set_xlim(0, 1)
    axes.set_xlabel(words.stand_in(plot.x))
    _percents(axes.xaxis)
    _plain(axes, grid="x")
    axes.spines["bottom"].set_visible(False)
    axes.tick_params(axis="y", length=0)
    _legend(axes, series)


def _draw_confusion(figure: Any, plot: ConfusionPlot, words: "_Words") -> None:
    """Each row is shaded by its shares."""
    counts = plot.counts
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    size = len(plot.names)
    axes = figure.add_subplot()
    side = min(WIDTH, max(2.4, 0.42 * size)) if size <= NUMBERED_CELLS else WIDTH - 1
    figure.set_size_inches(side, side)
    pixels = np.zeros((size, size, 4))
    pixels[..., :3] = np.array([int(COLOURS[0][i : i + 2], 16) for i in (1, 3, 5)]) / 255
    pixels[..., 3] = 0.9 * shares**0.6  # a few pictures in the wrong column should be seen
    axes.imshow(pixels, interpolation="none")
    if size <= NAMED_CELLS:
        small = 9 if size <= 25 else 7
        names = [words.stand_in(name) for name in plot.names]
        upright: Any = {"rotation": 90, "rotation_mode": "anchor", "ha": "right", "va": "center"}
        axes.set_xticks(range(size), names, fontsize=small, **upright)
        axes.set_yticks(range(size), names, fontsize=small)
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
def _figure() -> "Iterator[tuple[Any, _Words]]":
    """An empty figure and its words. matplotlib's global settings are restored afterwards."""
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
    """The user's words. In the layout each is a run of digits of about its width; the finished SVG has the word again.

    matplotlib's fonts may lack their letters, and with them the width, and it would read a dollar sign as mathematics.
    """

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}

    def stand_in(self, text: str) -> str:
        """Digits for a text, after an N that tells them from numbers."""
        width = sum(1.6 if unicodedata.east_asian_width(letter) in "WF" else 0.9 for letter in text)
        digits = f"{len(self._texts):03d}".rjust(max(3, round(width) - 1), "0")
        self._texts[f"N{digits}"] = text
        return f"N{digits}"

    def text(self, written: str) -> str:
        """The text that a stand-in stands for; any other as it is."""
        return self._texts.get(written, written)


def _page_svg(figure: Any, words: _Words) -> str:
    """The figure as an element of a page, whose colour and font it takes."""
    stream = io.BytesIO()
    figure.savefig(stream, format="svg", transparent=True, bbox_inches="tight")
    root = ElementTree.fromstring(stream.getvalue())  # also drops comments, which repeat the stand-ins
    root.set("role", "img")
    for metadata in root.findall(f"{{{SVG}}}metadata"):
        root.remove(metadata)
    for element in root.iter():
        if element.tag == f"{{{SVG}}}g":  # no link leads to a group, and two plots on a page must not share names
            element.attrib.pop("id", None)
        if element.tag == f"{{{SVG}}}text":
            element.text = words.text(element.text or "")
        if style := element.get("style"):
            element.set("style", _page_style(style))
    ElementTree.register_namespace("", SVG)
    ElementTree.register_namespace("xlink", XLINK)
    return ElementTree.tostring(root, encoding="unicode")


def _page_style(style: str) -> str:
    """Declarations without a font family, in currentColor for INK. matplotlib up to 3.9 writes the font in one declaration."""
    declarations = []
    for declaration in style.split(";"):
        name, _, value = declaration.strip().partition(": ")
        if name == "font":
            name, value = "font-size", next(word for word in value.split() if word.endswith("px"))
        if name and name != "font-family":
            declarations.append(f"{name}: {value.replace(INK, 'currentColor')}")
    return "; ".join(declarations)
