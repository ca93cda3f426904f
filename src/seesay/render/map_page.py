"""A map of a library as one HTML file that holds everything: small pictures in one large one, places, names, a script."""

import base64
import io
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from PIL import Image

from seesay.errors import UnreadableImage
from seesay.images.read import read
from seesay.library.map import Map
from seesay.render.page import write_page
from seesay.system.cpu import available_cores
from seesay.system.paths import printable
from seesay.system.prefetch import prefetch

LARGEST_PX, SMALLEST_PX = 96, 48  # of a picture's longer side
SHEET_PX = 5000  # of the picture that holds all of them; browsers on telephones take no more


def write_map(
    file: str | Path, drawn: Map, *, title: str = "SeeSay", progress: Callable[[int, int], None] | None = None
) -> Path:
    """Writes the page and returns its absolute path. Missing folders are made. Raises InputError where it cannot be written."""
    columns, side = grid(len(drawn.spots))
    tiles, sizes = sheet(thumbnails([spot.file.path for spot in drawn.spots], side, progress), columns, side)
    known = {
        "side": side,
        "columns": columns,
        "spots": [
            {
                "x": spot.x,
                "y": spot.y,
                "size": size,
                "group": -1 if spot.group is None else spot.group,
                "name": printable(Path(spot.file.path).name),
                "url": Path(spot.file.path).as_uri(),
                "date": (spot.file.taken_at or "")[:10],
            }
            for spot, size in zip(drawn.spots, sizes, strict=True)
        ],
        "groups": [{"name": printable(g.text), "x": g.x, "y": g.y, "pictures": g.pictures} for g in drawn.groups],
        "words": [{"name": printable(w.text), "x": w.x, "y": w.y} for w in drawn.words],
    }
    picture = "data:image/jpeg;base64," + base64.b64encode(tiles).decode()
    return write_page(file, "map.html", "map", title=title, known=known, sheet=picture)


def grid(pictures: int) -> tuple[int, int]:
    """Columns of the picture that holds so many, and the side of each in pixels."""
    columns = math.ceil(math.sqrt(pictures))
    return columns, max(SMALLEST_PX, min(LARGEST_PX, SHEET_PX // columns))


def thumbnails(
    paths: Sequence[str], px: int, progress: Callable[[int, int], None] | None = None
) -> Iterator[Image.Image | None]:
    """Each with a longer side of at most `px`, in order; None of one that cannot be read."""

    def small(path: str) -> Image.Image | None:
        try:
            image = read(path, decode="fast", enough_px=px).image
        except UnreadableImage:
            return None
        image.thumbnail((px, px))
        return image.convert("RGB")

    for done, image in enumerate(prefetch(small, paths, threads=available_cores(), ahead=32), start=1):
        yield image
        if progress is not None:
            progress(done, len(paths))


def sheet(images: Iterable[Image.Image | None], columns: int, side: int) -> tuple[bytes, list[tuple[int, int]]]:
    """All of them in rows, as a JPEG, and the width and height of each, 0 of one that is not there."""
    tiles = list(images)
    whole = Image.new("RGB", (columns * side, math.ceil(len(tiles) / columns) * side), (128, 128, 128))
    for at, tile in enumerate(tiles):
        if tile is not None:
            whole.paste(tile, (at % columns * side, at // columns * side))
    stream = io.BytesIO()
    whole.save(stream, "JPEG", quality=80)
    return stream.getvalue(), [(0, 0) if tile is None else tile.size for tile in tiles]
