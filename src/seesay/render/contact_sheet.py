"""A contact sheet: thumbnails side by side in one JPEG, from which a page cuts each by its position."""

import io
import math
from collections.abc import Iterable

from PIL import Image

LARGEST_PX = 96  # of a thumbnail's longer side
SMALLEST_PX = 48
SHEET_PX = 5000  # of the sheet; browsers on telephones take no larger image
QUALITY = 80
GROUND = (128, 128, 128)


def grid(count: int) -> tuple[int, int]:
    """(columns, side of a cell in pixels) of a sheet of so many thumbnails."""
    columns = math.ceil(math.sqrt(count))
    return columns, max(SMALLEST_PX, min(LARGEST_PX, SHEET_PX // columns))


def contact_sheet(thumbnails: Iterable[Image.Image | None], columns: int, side: int) -> tuple[bytes, list[tuple[int, int]]]:
    """Thumbnails row by row -> (JPEG, (width, height) of each). A missing one leaves its cell empty and has the size (0, 0)."""
    tiles = list(thumbnails)
    sheet = Image.new("RGB", (columns * side, math.ceil(len(tiles) / columns) * side), GROUND)
    for at, tile in enumerate(tiles):
        if tile is not None:
            sheet.paste(tile, (at % columns * side, at // columns * side))
    stream = io.BytesIO()
    sheet.save(stream, "JPEG", quality=QUALITY)
    return stream.getvalue(), [(0, 0) if tile is None else tile.size for tile in tiles]
