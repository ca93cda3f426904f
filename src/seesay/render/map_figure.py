"""A map of a library as a picture: every photo at its place or the nearest free one, the names above."""

import colorsys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from seesay.errors import InputError, MissingExtra
from seesay.images.thumbnail import thumbnails
from seesay.library.map import Map
from seesay.render.fonts import families_for
from seesay.system.paths import printable
from seesay.system.progress import Progress

SIZE_PX = (2400, 1800)
DPI = 150
LARGEST_PX, SMALLEST_PX = 150, 20  # of a photo's cell
ROOM = 3.0  # cells for every photo
EDGE_PX = 3  # of a photo in a group, in the group's colour
MARGIN_PX = 10  # between a name and the edge
Box = tuple[float, float, float, float]  # of a name: its middle, its width and height
PAPER, ACCENT = "#f7f7f5", "#b3361b"


def draw_map(file: Path, drawn: Map, progress: Progress | None = None) -> str:
    """Returns the letters that no font of this system has, which are drawn as boxes. Raises InputError, MissingExtra."""
    try:
        import matplotlib
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingExtra("a map", "map") from None
    width, height = SIZE_PX
    families, unknown = families_for("".join(label.text for label in (*drawn.groups, *drawn.words)))
    with matplotlib.rc_context({"font.family": families}):
        figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI)
        axes = figure.add_axes((0, 0, 1, 1))
        axes.imshow(np.asarray(_pasted(drawn, progress)), extent=(0, width, height, 0), interpolation="none")
        axes.set_axis_off()
        _write(axes, drawn)
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "Glyph .* missing")  # one for each letter; the caller is told of all
                figure.savefig(file, format="png", dpi=DPI)
        except OSError as error:
            raise InputError(f"cannot write the map to {printable(str(file))}: {error.strerror or error}") from None
    return unknown


def _write(axes: Any, drawn: Map) -> None:
    """Names inside the edges and none on another: a group's is left out where there is no room, a word that was asked for moves
    below what is there already, or above."""
    width, height = SIZE_PX
    taken: list[Box] = []
    words = [(word, f"“{printable(word.text)}”", 13.0, "white", ACCENT) for word in drawn.words]
    groups = [
        (group, printable(group.text), min(16.0, 8 + 0.5 * group.pictures**0.5), "black", PAPER) for group in drawn.groups
    ]
    for label, text, size, ink, paper in words + groups:
        style = {"boxstyle": "round,pad=0.25", "facecolor": paper, "edgecolor": "none", "alpha": 0.9}
        written = axes.text(0, 0, text, size=size, color=ink, ha="center", va="center", bbox=style, parse_math=False)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Glyph .* missing")
            extent = written.get_window_extent()
        around = 0.5 * size * DPI / 72  # the box's pad, on both sides together
        wide, high = extent.width + around, extent.height + around
        if (fits := (width - 2 * MARGIN_PX) / wide) < 1:
            written.set_size(size * fits)
            wide, high = wide * fits, high * fits
        x = min(max(label.x * width, wide / 2 + MARGIN_PX), width - wide / 2 - MARGIN_PX)
        y = min(max(label.y * height, high / 2 + MARGIN_PX), height - high / 2 - MARGIN_PX)
        if _on(taken, box := (x, y, wide, high)):
            if paper == PAPER:
                written.remove()
                continue
            box = _moved(taken, box)
        taken.append(box)
        written.set_position(box[:2])


def _on(taken: Sequence[Box], box: Box) -> list[Box]:
    """Those that it would lie on."""
    x, y, wide, high = box
    return [one for one in taken if abs(x - one[0]) < (wide + one[2]) / 2 and abs(y - one[1]) < (high + one[3]) / 2]


def _moved(taken: Sequence[Box], box: Box) -> Box:
    """Below those that it would lie on; above them, where that is beyond the edge."""
    x, _, wide, high = box
    for way in (1, -1):
        moved = box
        while others := _on(taken, moved):
            moved = (x, way * max(way * one[1] + (one[3] + high) / 2 + 1 for one in others), wide, high)
        if moved[1] - high / 2 >= 0 and moved[1] + high / 2 <= SIZE_PX[1]:
            break
    return moved


def _pasted(drawn: Map, progress: Progress | None) -> Image.Image:
    width, height = SIZE_PX
    side = int(np.clip(np.sqrt(width * height / (ROOM * len(drawn.spots))), SMALLEST_PX, LARGEST_PX))
    sheet = Image.new("RGB", SIZE_PX, PAPER)
    places = seated(np.array([(spot.x * width, spot.y * height) for spot in drawn.spots]), side, SIZE_PX)
    inner = side - 2 * EDGE_PX if side > 6 * EDGE_PX else side
    images = thumbnails([spot.file.path for spot in drawn.spots], inner, progress)
    for spot, (x, y), image in zip(drawn.spots, places.tolist(), images, strict=True):
        if image is None:
            continue
        left, top = x - image.width // 2, y - image.height // 2
        if spot.group is not None and inner < side:
            edged = (image.width + 2 * EDGE_PX, image.height + 2 * EDGE_PX)
            sheet.paste(
                _colour(spot.group), (left - EDGE_PX, top - EDGE_PX, left - EDGE_PX + edged[0], top - EDGE_PX + edged[1])
            )
        sheet.paste(image, (left, top))
    return sheet


def seated(places: np.ndarray, side: int, size: tuple[int, int]) -> np.ndarray:
    """(N, 2) pixels -> (N, 2) int64: the middles of the nearest cells of `side` pixels, each of which is taken once.

    Where there are fewer cells than places, the rest stay where they are.
    """
    columns, rows = size[0] // side, size[1] // side
    middles = np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), axis=-1).reshape(-1, 2) * side + side // 2
    free = np.ones(len(middles), dtype=bool)
    found: np.ndarray = np.rint(places).astype(np.int64)
    for at, place in enumerate(places[: len(middles)]):
        distance = np.where(free, ((middles - place) ** 2).sum(axis=1), np.inf)
        nearest = int(distance.argmin())
        free[nearest] = False
        found[at] = middles[nearest]
    return found


def _colour(group: int) -> tuple[int, int, int]:
    red, green, blue = colorsys.hls_to_rgb(group * 137.5 % 360 / 360, 0.5, 0.6)
    return round(255 * red), round(255 * green), round(255 * blue)
