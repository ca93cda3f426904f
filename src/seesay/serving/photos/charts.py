"""`Charts`: maps of the library, drawn in the background and cached until the library changes."""

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
from seesay.serving.photos.latest import Latest
from seesay.serving.photos.photos import Photos, folders
from seesay.system.paths import printable

NAMELESS = {"en": "various", "zh": "各种"}  # names of groups that no phrase fits
LAYOUT = 0.5  # share of the work; the rest is making thumbnails


@dataclass(frozen=True)
class Chart:
    """A map, ready to be sent. name: of the map, for its sheet. places: the JSON. sheet: a JPEG with a tile for each spot."""

    name: str
    places: dict[str, Any]
    sheet: bytes


class Charts:
    """The maps of each language in which groups are named."""

    def __init__(self, photos: Photos) -> None:
        self._photos = photos
        self._latest = Latest(self._drawn, "seesay-map")
        self._last: deque[Chart] = deque(maxlen=limits.MAPS_KEPT)
        self._share = 0.0

    def get(self, library: Library, language: str) -> tuple[Chart | None, bool]:
        """The newest map, None before the first; and whether a map of the library's present contents is being drawn.

        Raises what drawing that one raised.
        """
        return self._latest.get(language, library)

    def progress(self, language: str) -> tuple[bool, float]:
        """Whether a map is being drawn, and the share done of the one in this language, 0 to 1; 0 while another is drawn."""
        return self._latest.busy, self._share if self._latest.current == language else 0.0

    def kept(self, name: str | None) -> Chart | None:
        """One of the last maps by name: a client may request its sheet when there is a newer map already."""
        return next((chart for chart in tuple(self._last) if chart.name == name), None)

    def close(self) -> None:
        """Stops a map that is being drawn."""
        self._latest.close()

    def _drawn(self, language: str) -> Chart:
        self._share = 0.0
        with Library(self._photos.path, self._photos.model) as library:
            drawn = library.map(names=names_in(language), progress=self._report_layout)
            chart = self._chart(drawn, folders(library), language)
        self._last.append(chart)
        return chart

    def _chart(self, drawn: Map, names: Folders, language: str) -> Chart:
        columns, side = grid(len(drawn.spots))
        paths = [spot.file.path for spot in drawn.spots]
        tiles, sizes = contact_sheet(thumbnails(paths, side, self._report_thumbnails), columns, side)
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
        translated = {VARIOUS: NAMELESS[language]}
        groups = [
            {"name": printable(translated.get(g.text, g.text)), "x": g.x, "y": g.y, "pictures": g.pictures}
            for g in drawn.groups
        ]
        places = {"side": side, "columns": columns, "left_out": drawn.left_out, "spots": spots, "groups": groups}
        return Chart(secrets.token_hex(6), places, tiles)

    def _report_layout(self, done: int, total: int) -> None:
        self._report(LAYOUT * done / total)

    def _report_thumbnails(self, done: int, total: int) -> None:
        self._report(LAYOUT + (1 - LAYOUT) * done / total)

    def _report(self, share: float) -> None:
        self._share = share
        self._latest.check_stopped()


def names_in(language: str) -> list[str] | None:
    """Names for groups: None (the library's own phrases) in English, else words for everyday things."""
    if language == "en":
        return None
    labels = json.loads((files("seesay.serving") / "ui" / "labels.json").read_text(encoding="utf-8"))
    return [label[language] for label in labels]
