"""The map of the library, drawn in the background and kept until the library changes."""

import json
import secrets
import threading
from collections import deque
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from seesay.library import Library
from seesay.library.map import VARIOUS, Map
from seesay.map_page import grid, sheet, thumbnails
from seesay.paths import printable
from seesay.serving.folders import Folders
from seesay.serving.photos import Photos, folders

KEPT = 4  # maps, each of some megabytes
NAMELESS = {"en": "various", "zh": "各种"}  # groups of pictures that share nothing which has a name
LAYOUT = 0.5  # of the work; the rest is pictures made small


@dataclass(frozen=True)
class Chart:
    """name: by which clients ask for its sheet. version: of the library that it shows. sheet: a JPEG with a tile for each
    spot."""

    name: str
    version: object
    places: dict[str, Any]
    sheet: bytes


@dataclass(frozen=True)
class Failed:
    version: object
    fault: Exception


class Charts:
    """Of each language, in which groups are named."""

    def __init__(self, photos: Photos) -> None:
        self._photos = photos
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._made: dict[str, Chart | Failed] = {}
        self._last: deque[Chart] = deque(maxlen=KEPT)
        self._drawing, self._share = "", 0.0
        self._closing = False

    def get(self, library: Library, language: str) -> tuple[Chart | None, bool]:
        """The newest map that there is, None before the first; and whether one of the library as it is now is being drawn.
        Raises what drawing that one raised."""
        with library.reading() as store:
            version = (store.last_vector_id(), tuple(sorted(store.count_files().items())))
        with self._lock:
            made = self._made.get(language)
            if made is not None and made.version == version:
                if isinstance(made, Failed):
                    raise made.fault
                return made, False
            if not self._busy():
                self._drawing, self._share = language, 0.0
                self._thread = threading.Thread(target=self._draw, args=(version, language), name="seesay-map", daemon=True)
                self._thread.start()
            return (made if isinstance(made, Chart) else None), True

    def progress(self, language: str) -> tuple[bool, float]:
        """Whether a map is being drawn, and the share of the one in this language that is done, 0 to 1: 0 where it waits for
        another's end."""
        with self._lock:
            return self._busy(), self._share if self._drawing == language else 0.0

    def _busy(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def kept(self, name: str | None) -> Chart | None:
        """One of the last that were drawn: a client that has its places may ask for its sheet when the next is there."""
        with self._lock:
            return next((chart for chart in self._last if chart.name == name), None)

    def close(self) -> None:
        self._closing = True
        if self._thread is not None:
            self._thread.join()

    def _draw(self, version: object, language: str) -> None:
        made: Chart | Failed
        try:
            with Library(self._photos.path, self._photos.model) as library:
                drawn = library.map(names=names_in(language), progress=self._laid)
                made = self._chart_of(version, drawn, folders(library), language)
        except Exception as fault:
            made = Failed(version, fault)
        with self._lock:
            self._made[language] = made
            if isinstance(made, Chart):
                self._last.append(made)

    def _chart_of(self, version: object, drawn: Map, names: Folders, language: str) -> Chart:
        columns, side = grid(len(drawn.spots))
        tiles, sizes = sheet(thumbnails([spot.file.path for spot in drawn.spots], side, self._made_small), columns, side)
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
        return Chart(secrets.token_hex(6), version, places, tiles)

    def _laid(self, done: int, total: int) -> None:
        self._told(LAYOUT * done / total)

    def _made_small(self, done: int, total: int) -> None:
        self._told(LAYOUT + (1 - LAYOUT) * done / total)

    def _told(self, share: float) -> None:
        self._share = share
        if self._closing:
            raise RuntimeError("the server is shutting down")


def names_in(language: str) -> list[str] | None:
    """What groups may be called: in English the library's own phrases, else everyday things."""
    if language == "en":
        return None
    labels = json.loads((files("seesay.serving") / "ui" / "labels.json").read_text(encoding="utf-8"))
    return [label[language] for label in labels]
