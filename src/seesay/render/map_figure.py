"""The map of a library as a PNG: photos at their positions or the nearest free cells, with names above."""

import colorsys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

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
LARGEST_PX = 150  # side of a photo's cell
SMALLEST_PX = 20
CELLS_PER_PHOTO = 3.0
EDGE_PX = 3  # of a photo in a group, in the group's colour
MARGIN_PX = 10  # between a name and the edge of the map
PAPER = "#f7f7f5"
ACCENT = "#b3361b"


class Box(NamedTuple):
    """The box around a name, in pixels: its centre, width and height."""

    x: float
    y: float
    width: float
    height: float


def draw_map(file: Path, library_map: Map, progress: Progress | None = None) -> str:
    """Writes the figure and returns the letters that no font of this system has, which are drawn as boxes.

    Raises InputError, MissingExtra.
    """
    try:
        import matplotlib
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingExtra("a map", "map") from None
    width, height = SIZE_PX
    families, unknown = families_for("".join(label.text for label in (*library_map.groups, *library_map.words)))
    with matplotlib.rc_context({"font.family": families}):
        figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI)
        axes = figure.add_axes((0, 0, 1, 1))
        axes.imshow(np.asarray(_photos(library_map, progress)), extent=(0, width, height, 0), interpolation="none")
        axes.set_axis_off()
        _write_names(axes, library_map)
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "Glyph .* missing")  # one for each letter; the caller gets all
                figure.savefig(file, format="png", dpi=DPI)
        except OSError as error:
            raise InputError(f"cannot write the map to {printable(str(file))}: {error.strerror or error}") from None
    return unknown


def _write_names(axes: Any, library_map: Map) -> None:
    """Writes names inside the map's edges and none over another: a group's is left out if it has no room, a word moves."""
    width, height = SIZE_PX
    placed: list[Box] = []
    words = [(word, f"“{printable(word.text)}”", 13.0, "white", ACCENT) for word in library_map.words]
    groups = [
        (group, printable(group.text), min(16.0, 8 + 0.5 * group.pictures**0.5), "black", PAPER) for group in library_map.groups
    ]
    for label, text, size, ink, paper in words + groups:
        style = {"boxstyle": "round,pad=0.25", "facecolor": paper, "edgecolor": "none", "alpha": 0.9}
        written = axes.text(0, 0, text, size=size, color=ink, ha="center", va="center", bbox=style, parse_math=False)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Glyph .* missing")
            extent = written.get_window_extent()
        around = 0.5 * size * DPI / 72  # the box's pad, on both sides together
        text_width, text_height = extent.width + around, extent.height + around
        if (scale := (width - 2 * MARGIN_PX) / text_width) < 1:
            written.set_size(size * scale)
            text_width, text_height = text_width * scale, text_height * scale
        x = min(max(label.x * width, text_width / 2 + MARGIN_PX), width - text_width / 2 - MARGIN_PX)
        y = min(max(label.y * height, text_height / 2 + MARGIN_PX), height - text_height / 2 - MARGIN_PX)
        box = Box(x, y, text_width, text_height)
        if _overlapping(placed, box):
            if paper == PAPER:
                written.remove()
                continue
            box = _moved(placed, box)
        placed.append(box)
        written.set_position((box.x, box.y))


def _overlapping(placed: Sequence[Box], box: Box) -> list[Box]:
    return [
        other
        for other in placed
        if abs(box.x - other.x) < (box.width + other.width) / 2 and abs(box.y - other.y) < (box.height + other.height) / 2
    ]


def _moved(placed: Sequence[Box], box: Box) -> Box:
    """The box moved below the others that it overlaps; above them, if below is beyond the edge."""
    for sign in (1, -1):
        moved = box
        while others := _overlapping(placed, moved):
            y = sign * max(sign * other.y + (other.height + box.height) / 2 + 1 for other in others)
            moved = box._replace(y=y)
        if moved.y - box.height / 2 >= 0 and moved.y + box.height / 2 <= SIZE_PX[1]:
            break
    return moved


def _photos(library_map: Map, progress: Progress | None) -> Image.Image:
    width, height = SIZE_PX
    side = int(np.clip(np.sqrt(width * height / (CELLS_PER_PHOTO * len(library_map.spots))), SMALLEST_PX, LARGEST_PX))
    sheet = Image.new("RGB", SIZE_PX, PAPER)
    positions = nearest_cells(np.array([(spot.x * width, spot.y * height) for spot in library_map.spots]), side, SIZE_PX)
    inner = side - 2 * EDGE_PX if side > 6 * EDGE_PX else side
    images = thumbnails([spot.file.path for spot in library_map.spots], inner, progress)
    for spot, (x, y), image in zip(library_map.spots, positions.tolist(), images, strict=True):
        if image is None:
            continue
        left, top = x - image.width // 2, y - image.height // 2
        if spot.group is not None and inner < side:
            edge = (left - EDGE_PX, top - EDGE_PX, left + image.width + EDGE_PX, top + image.height + EDGE_PX)
            sheet.paste(_group_colour(spot.group), edge)
        sheet.paste(image, (left, top))
    return sheet


def nearest_cells(positions: np.ndarray, side: int, size: tuple[int, int]) -> np.ndarray:
    """Positions (N, 2) in pixels -> (N, 2) int64: the centres of the nearest free cells of `side` pixels, each used once.

    With fewer cells than positions, the last positions stay as they are.
    """
    columns, rows = size[0] // side, size[1] // side
    centres = np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), axis=-1).reshape(-1, 2) * side + side // 2
    free = np.ones(len(centres), dtype=bool)
    cells: np.ndarray = np.rint(positions).astype(np.int64)
    for at, position in enumerate(positions[: len(centres)]):
        distance = np.where(free, ((centres - position) ** 2).sum(axis=1), np.inf)
        nearest = int(distance.argmin())
        free[nearest] = False
        cells[at] = centres[nearest]
    return cells


def _group_colour(group: int) -> tuple[int, int, int]:
    red, green, blue = colorsys.hls_to_rgb(group * 137.5 % 360 / 360, 0.5, 0.6)
    return round(255 * red), round(255 * green), round(255 * blue)
