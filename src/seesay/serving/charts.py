"""The map of the library, drawn in the background and kept until the library changes."""

import json
import threading
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from seesay.library import Library
from seesay.library.map import Map
from seesay.map_page import grid, sheet, thumbnails
from seesay.paths import printable
from seesay.serving.folders import Folders
from seesay.serving.photos import Photos, folders


@dataclass(frozen=True)
class Chart:
    """version: of the library that it shows. sheet: a JPEG with a tile for each spot."""

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
        self._closing = False

    def get(self, library: Library, language: str) -> Chart | None:
        """The map as the library is now, or None while one is drawn. Raises what drawing it raised."""
        with library.reading() as store:
            version = (store.last_vector_id(), tuple(sorted(store.count_files().items())))
        with self._lock:
            made = self._made.get(language)
            if made is not None and made.version == version:
                if isinstance(made, Failed):
                    raise made.fault
                return made
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._draw, args=(version, language), name="seesay-map", daemon=True)
                self._thread.start()
            return None

    def close(self) -> None:
        self._closing = True
        if self._thread is not None:
            self._thread.join()

    def _draw(self, version: object, language: str) -> None:
        made: Chart | Failed
        try:
            with Library(self._photos.path, self._photos.model) as library:
                made = self._chart_of(version, library.map(names=names_in(language)), folders(library))
        except Exception as fault:
            made = Failed(version, fault)
        with self._lock:
            self._made[language] = made

    def _chart_of(self, version: object, drawn: Map, names: Folders) -> Chart:
        columns, side = grid(len(drawn.spots))
        tiles, sizes = sheet(thumbnails([spot.file.path for spot in drawn.spots], side, self._stop), columns, side)
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
        groups = [{"name": printable(g.text), "x": g.x, "y": g.y, "pictures": g.pictures} for g in drawn.groups]
        places = {"side": side, "columns": columns, "left_out": drawn.left_out, "spots": spots, "groups": groups}
        return Chart(version, places, tiles)

    def _stop(self, done: int, total: int) -> None:
        if self._closing:
            raise RuntimeError("the server is shutting down")


def names_in(language: str) -> list[str] | None:
    """What groups may be called: in English the library's own phrases, else everyday things."""
    if language == "en":
        return None
    labels = json.loads((files("seesay.serving") / "ui" / "labels.json").read_text(encoding="utf-8"))
    return [label[language] for label in labels]
