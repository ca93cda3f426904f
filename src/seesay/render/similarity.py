"""A similarity matrix as a figure: texts at the left, pictures above, as in the notebook of OpenAI's CLIP."""

import textwrap
import unicodedata
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from seesay.errors import InputError, MissingExtra
from seesay.images.thumbnail import thumbnail
from seesay.render.fonts import families_for
from seesay.system.paths import printable

MOST = 40  # rows or columns that can still be read
CELL_IN = 0.95  # inches of a cell's side
PICTURE_PX = 160
LETTERS = 30  # of a line of text

Label = str | Image.Image


def draw(cosine: np.ndarray, rows: Sequence[Label], columns: Sequence[Label], file: Path) -> str:
    """Writes a figure of cosine (rows, columns), each row and column with its text or picture; the suffix sets the format.

    Returns the letters that no font of this system has, which are drawn as boxes. Raises InputError, MissingExtra.
    """
    try:
        import matplotlib
        from matplotlib.backend_bases import FigureCanvasBase
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingExtra("a figure", "eval") from None
    if max(cosine.shape) > MOST:
        raise InputError(f"a figure takes at most {MOST} rows and columns, got {len(rows)} and {len(columns)}")
    formats = FigureCanvasBase.get_supported_filetypes()
    if (suffix := file.suffix.lower().removeprefix(".")) not in formats:
        raise InputError(
            f"expected a figure's file that ends in one of {', '.join(sorted(formats))}, got {printable(str(file))}"
        )
    families, unknown = families_for("".join(label for label in (*rows, *columns) if isinstance(label, str)))
    with matplotlib.rc_context({"font.family": families, "font.size": 10}):
        height, width = cosine.shape
        figure = Figure(figsize=(CELL_IN * width, CELL_IN * height))
        axes = figure.add_axes((0, 0, 1, 1))
        _draw_cells(axes, cosine)
        _draw_labels(figure, axes, rows, columns)
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "Glyph .* missing")  # one for each letter; the caller gets all
                figure.savefig(file, format=suffix, bbox_inches="tight", pad_inches=0.15, dpi=110)
        except OSError as error:
            raise InputError(f"cannot write the figure to {printable(str(file))}: {error.strerror or error}") from None
    return unknown


def _draw_cells(axes: Any, cosine: np.ndarray) -> None:
    axes.imshow(cosine, cmap="viridis", aspect="auto")
    axes.set_axis_off()
    middle = (cosine.min() + cosine.max()) / 2
    for (row, column), value in np.ndenumerate(cosine):
        colour = "black" if value > middle else "white"
        axes.text(column, row, f"{value:.2f}", ha="center", va="center", color=colour, parse_math=False)


def _draw_labels(figure: Any, axes: Any, rows: Sequence[Label], columns: Sequence[Label]) -> None:
    height, width = len(rows), len(columns)
    for at, label in enumerate(rows):
        if isinstance(label, str):
            axes.text(-0.6, at, _wrapped(label), ha="right", va="center", parse_math=False)
        else:
            _draw_picture(figure, label, (-0.95 / width, (height - at - 0.95) / height, 0.9 / width, 0.9 / height))
    for at, label in enumerate(columns):
        if isinstance(label, str):
            axes.text(at, -0.6, _wrapped(label), ha="left", va="bottom", rotation=35, parse_math=False)
        else:
            _draw_picture(figure, label, ((at + 0.05) / width, 1 + 0.05 / height, 0.9 / width, 0.9 / height))


def picture_labels(sources: Sequence[str]) -> list[Image.Image]:
    """Thumbnails of pictures, as labels for `draw`. Raises UnreadableImage."""
    return [thumbnail(source, PICTURE_PX) for source in sources]


def _draw_picture(figure: Any, image: Image.Image, position: tuple[float, float, float, float]) -> None:
    axes = figure.add_axes(position)
    axes.imshow(np.asarray(image))
    axes.set_axis_off()


def _wrapped(text: str) -> str:
    """A text in lines of about LETTERS; of half as many for Chinese, whose letters are twice as wide."""
    is_wide = sum(unicodedata.east_asian_width(letter) in "WF" for letter in text) > len(text) / 2
    return "\n".join(textwrap.wrap(printable(text), LETTERS // 2 if is_wide else LETTERS))
