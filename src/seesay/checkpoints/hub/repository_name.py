"""The name of a repository, from the folder that a hub's cache keeps it in."""

from pathlib import Path


def repository_name(folder: Path) -> str | None:
    """ "owner/name" of `.../models--owner--name/snapshots/COMMIT`; None for any other folder."""
    store = folder.parent.parent.name
    if folder.parent.name != "snapshots" or not store.startswith("models--"):
        return None
    return store.removeprefix("models--").replace("--", "/", 1)
