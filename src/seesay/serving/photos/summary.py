"""`summary`: counts of the library's pictures by folder, camera, tag and place, for the page's filters."""

import importlib.util
import os
from typing import Any
from weakref import WeakKeyDictionary

from seesay.errors import NoLibrary
from seesay.images.decoding.formats import ADVICE
from seesay.library import Library
from seesay.library.listing import cameras, days, folders
from seesay.library.places import places
from seesay.model import Model
from seesay.serving.photos.folders import Folders

# The page requests it again and again, and counting a million files takes a second: cached until the database changes.
_cache: WeakKeyDictionary[Library, tuple[tuple[int, int], dict[str, Any]]] = WeakKeyDictionary()


def summary(library: Library, model: Model) -> dict[str, Any]:
    """Counts of pictures in all, by folder, camera, tag and place; the first and last day; what the server can do."""
    try:
        with library.session() as session:
            database = session.store.db
            (others,) = database.execute("PRAGMA data_version").fetchone()  # counts writes of other connections
            version = (others, database.total_changes)
    except NoLibrary:
        return _counted(library, model)
    cached = _cache.get(library)
    if cached is None or cached[0] != version:
        cached = _cache[library] = (version, _counted(library, model))
    return cached[1]


def _counted(library: Library, model: Model) -> dict[str, Any]:
    counts: dict[str, Any] = {
        "pictures": 0,
        "texts": 0,
        "failed": 0,
        "skipped": [],
        "model": model.name,
        "languages": list(model.config.languages),
        "folders": [],
        "cameras": [],
        "tags": [],
        "places": [],
        "first": None,
        "last": None,
        "can_write": os.access(library.path if library.path.exists() else library.path.parent, os.W_OK),
        "can_map": importlib.util.find_spec("sklearn") is not None,
    }
    try:
        with library.session() as session:
            store = session.store
            files, names = store.count_files(), Folders(store.roots())
            by_folder, by_camera, range_of_days = folders(store), cameras(store), days(store)
            by_tag, by_place, skipped = store.tag_counts(), places(store), store.skipped()
    except NoLibrary:
        return counts
    first, last = range_of_days or (None, None)
    shown = {names.shown(os.path.join(folder, "x"))[0]: count for folder, count in by_folder.items()}
    return counts | {
        "pictures": files.get("image", 0),
        "texts": files.get("text", 0),
        "failed": files.get("failed", 0),
        "skipped": [{"kind": kind, "files": count, "advice": ADVICE[kind]} for kind, count in skipped.items()],
        "folders": [{"folder": folder, "pictures": count} for folder, count in shown.items() if folder],
        "cameras": [{"camera": camera, "pictures": count} for camera, count in by_camera.items()],
        "tags": [{"tag": tag, "pictures": count} for tag, count in by_tag.items()],
        "places": by_place,
        "first": first,
        "last": last,
    }
