"""The map of the library, drawn in the background and kept until the library changes."""

import json
import secrets
from collections import deque
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from seesay.images.thumbnail import thumbnails
from seesay.library import Library
from seesay.library.map import VARIOUS, Map
from seesay.render.contact_sheet import contact_sheet, grid
from seesay.serving import limits
from seesay.serving.photos.folders import Folders
from seesay.serving.photos.latest import Latest, version
from seesay.serving.photos.photos import Photos, folders
from seesay.system.paths import printable

NAMELESS = {"en": "various", "zh": "各种"}  # groups of pictures that share nothing which has a name
LAYOUT = 0.5  # of the work; the rest is pictures made small


@dataclass(frozen=True)
class Chart:
    """name: by which clients ask for its sheet. sheet: a JPEG with a tile for each spot."""

    name: str
    places: dict[str, Any]
    sheet: bytes


class Charts:
    """Of each language, in which groups are named."""

    def __init__(self, photos: Photos) -> None:
        self._photos = photos
        self._latest = Latest(self._drawn, "seesay-map")
        self._last: deque[Chart] = deque(maxlen=limits.MAPS_KEPT)
        self._share = 0.0

    def get(self, library: Library, language: str) -> tuple[Chart | None, bool]:
        """The newest map that there is, None before the first; and whether one of the library as it is now is being drawn.
        Raises what drawing that one raised."""
        return self._latest.get(language, version(library))

    def progress(self, language: str) -> tuple[bool, float]:
        """Whether a map is being drawn, and the share of the one in this language that is done, 0 to 1: 0 where it waits for
        another's end."""
        return self._latest.busy, self._share if self._latest.making == language else 0.0

    def kept(self, name: str | None) -> Chart | None:
        """One of the last that were drawn: a client that has its places may ask for its sheet when the next is there."""
        return next((chart for chart in tuple(self._last) if chart.name == name), None)

    def close(self) -> None:
        self._latest.close()

    def _drawn(self, language: str) -> Chart:
        self._share = 0.0
        with Library(self._photos.path, self._photos.model) as library:
            drawn = library.map(names=names_in(language), progress=self._laid)
            made = self._chart_of(drawn, folders(library), language)
        self._last.append(made)
        return made

    def _chart_of(self, drawn: Map, names: Folders, language: str) -> Chart:
        columns, side = grid(len(drawn.spots))
        tiles, sizes = contact_sheet(
            thumbnails([spot.file.path for spot in drawn.spots], side, self._made_small), columns, side
        )
        spots = [
            {
                "id": spot.file.id,
                "x": round(spot.x, 5),
                "y": round(spot.y, 5),
                "width": width,
                "height": height,
                "group": -1 if spot.group is None else spot.group,
                "name": names.shown(spot.file.path)[1],
                "date": (spot.file.taken_at or "")[:10],
            }
            for spot, (width, height) in zip(drawn.spots, sizes, strict=True)
        ]
        called = {VARIOUS: NAMELESS[language]}
        groups = [
            {"name": printable(called.get(g.text, g.text)), "x": g.x, "y": g.y, "pictures": g.pictures} for g in drawn.groups
        ]
        places = {"side": side, "columns": columns, "left_out": drawn.left_out, "spots": spots, "groups": groups}
        return Chart(secrets.token_hex(6), places, tiles)

    def _laid(self, done: int, total: int) -> None:
        self._told(LAYOUT * done / total)

    def _made_small(self, done: int, total: int) -> None:
        self._told(LAYOUT + (1 - LAYOUT) * done / total)

    def _told(self, share: float) -> None:
        self._share = share
        self._latest.go_on()


def names_in(language: str) -> list[str] | None:
    """What groups may be called: in English the library's own phrases, else everyday things."""
    if language == "en":
        return None
    labels = json.loads((files("seesay.serving") / "ui" / "labels.json").read_text(encoding="utf-8"))
    return [label[language] for label in labels]
