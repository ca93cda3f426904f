"""What a library holds, counted for the page's choices."""

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

# The page asks again and again, and counting a million files takes a second: what was told stands until the database changes.
_told: WeakKeyDictionary[Library, tuple[tuple[int, int], dict[str, Any]]] = WeakKeyDictionary()


def summary(library: Library, model: Model) -> dict[str, Any]:
    """Counts of pictures in all, by folder, camera, tag; the days between which they were taken."""
    try:
        with library.reading() as store:
            (others,) = store.db.execute("PRAGMA data_version").fetchone()  # counts what other connections wrote
            version = (others, store.db.total_changes)
    except NoLibrary:
        return _counted(library, model)
    known = _told.get(library)
    if known is None or known[0] != version:
        known = _told[library] = (version, _counted(library, model))
    return known[1]


def _counted(library: Library, model: Model) -> dict[str, Any]:
    told: dict[str, Any] = {
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
        with library.reading() as store:
            files, names = store.count_files(), Folders(store.roots())
            inside, used, when = folders(store), cameras(store), days(store)
            tags, spots, skipped = store.tags(), places(store), store.skipped()
    except NoLibrary:
        return told
    first, last = when or (None, None)
    shown = {names.shown(os.path.join(folder, "x"))[0]: count for folder, count in inside.items()}
    return told | {
        "pictures": files.get("image", 0),
        "texts": files.get("text", 0),
        "failed": files.get("failed", 0),
        "skipped": [{"kind": kind, "files": count, "advice": ADVICE[kind]} for kind, count in skipped.items()],
        "folders": [{"folder": folder, "pictures": count} for folder, count in shown.items() if folder],
        "cameras": [{"camera": camera, "pictures": count} for camera, count in used.items()],
        "tags": [{"tag": tag, "pictures": count} for tag, count in tags.items()],
        "places": spots,
        "first": first,
        "last": last,
    }
