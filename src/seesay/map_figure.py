"""A map of a library as a picture: every photo at its place or the nearest free one, the names above."""

import colorsys
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from seesay.errors import InputError, MissingExtra
from seesay.fonts import families_for
from seesay.library.map import Map
from seesay.map_page import thumbnails
from seesay.paths import printable

SIZE_PX = (2400, 1800)
DPI = 150
LARGEST_PX, SMALLEST_PX = 150, 20  # of a photo's cell
ROOM = 3.0  # cells for every photo
EDGE_PX = 3  # of a photo in a group, in the group's colour
PAPER, ACCENT = "#f7f7f5", "#b3361b"


def draw_map(file: Path, drawn: Map, progress: Callable[[int, int], None] | None = None) -> str:
    """Returns the letters that no font of this system has, which are drawn as boxes. Raises InputError, MissingExtra."""
    try:
        import matplotlib
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingExtra("a map", "map") from None
    width, height = SIZE_PX
    families, unknown = families_for("".join(label.text for label in (*drawn.groups, *drawn.words)))
    with matplotlib.rc_context({"font.family": families}):
        figure = Figure(figsize=(width / DPI, height / DPI))
        axes = figure.add_axes((0, 0, 1, 1))
        axes.imshow(np.asarray(_pasted(drawn, progress)), extent=(0, width, height, 0), interpolation="none")
        axes.set_axis_off()
        for group in drawn.groups:
            size = min(16.0, 8 + 0.5 * group.pictures**0.5)
            box = {"boxstyle": "round,pad=0.25", "facecolor": PAPER, "edgecolor": "none", "alpha": 0.85}
            place = (group.x * width, group.y * height)
            axes.text(*place, printable(group.text), size=size, ha="center", va="center", bbox=box, parse_math=False)
        for word in drawn.words:
            box = {"boxstyle": "round,pad=0.25", "facecolor": ACCENT, "edgecolor": "none", "alpha": 0.95}
            place = (word.x * width, word.y * height)
            axes.text(
                *place,
                f"“{printable(word.text)}”",
                size=13,
                color="white",
                ha="center",
                va="center",
                bbox=box,
                parse_math=False,
            )
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "Glyph .* missing")  # one for each letter; the caller is told of all
                figure.savefig(file, format="png", dpi=DPI)
        except OSError as error:
            raise InputError(f"cannot write the map to {printable(str(file))}: {error.strerror or error}") from None
    return unknown


def _pasted(drawn: Map, progress: Callable[[int, int], None] | None) -> Image.Image:
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
