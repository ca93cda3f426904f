"""The map of the library, drawn in the background and kept until the library changes."""

import threading
from dataclasses import dataclass
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


class Charts:
    def __init__(self, photos: Photos) -> None:
        self._photos = photos
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._chart: Chart | None = None
        self._failed: tuple[object, Exception] | None = None
        self._closing = False

    def get(self, library: Library) -> Chart | None:
        """The map as the library is now, or None while it is drawn. Raises what drawing it raised."""
        with library.reading() as store:
            version = (store.last_vector_id(), tuple(sorted(store.count_files().items())))
        with self._lock:
            if self._chart is not None and self._chart.version == version:
                return self._chart
            if self._failed is not None and self._failed[0] == version:
                raise self._failed[1]
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._draw, args=(version,), name="seesay-map", daemon=True)
                self._thread.start()
            return None

    def close(self) -> None:
        self._closing = True
        if self._thread is not None:
            self._thread.join()

    def _draw(self, version: object) -> None:
        try:
            with Library(self._photos.path, self._photos.model) as library:
                drawn = library.map()
                made = self._chart_of(version, drawn, folders(library))
        except Exception as fault:
            with self._lock:
                self._failed = (version, fault)
            return
        with self._lock:
            self._chart, self._failed = made, None

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
