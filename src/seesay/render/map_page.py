"""The map of a library as one self-contained HTML page: a contact sheet, positions, names and a script."""

import base64
from pathlib import Path

from seesay.images.thumbnail import thumbnails
from seesay.library.map import Map
from seesay.render.contact_sheet import contact_sheet, grid
from seesay.render.page import write_page
from seesay.system.paths import printable
from seesay.system.progress import Progress


def write_map(file: str | Path, library_map: Map, *, title: str = "SeeSay", progress: Progress | None = None) -> Path:
    """Writes the page and returns its absolute path. Missing folders are made. Raises InputError if it cannot be written."""
    columns, side = grid(len(library_map.spots))
    tiles, sizes = contact_sheet(thumbnails([spot.file.path for spot in library_map.spots], side, progress), columns, side)
    data = {
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
            for spot, size in zip(library_map.spots, sizes, strict=True)
        ],
        "groups": [{"name": printable(g.text), "x": g.x, "y": g.y, "pictures": g.pictures} for g in library_map.groups],
        "words": [{"name": printable(w.text), "x": w.x, "y": w.y} for w in library_map.words],
    }
    sheet = "data:image/jpeg;base64," + base64.b64encode(tiles).decode()
    return write_page(file, "map.html", "map", title=title, data=data, sheet=sheet)
