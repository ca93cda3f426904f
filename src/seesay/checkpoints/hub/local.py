"""Finds the weights of the catalogue's models in the caches of this machine, without a request."""

from pathlib import Path

from seesay.checkpoints.hub.catalog import CatalogModel
from seesay.checkpoints.hub.files import has_weights
from seesay.checkpoints.hub.repository import cached_folder
from seesay.checkpoints.hub.url import cache_name, cached_file


def local_weights(entry: CatalogModel) -> Path | None:
    """The file or folder with a model's weights, whichever program fetched it; None where it is not here."""
    source = entry.source
    if source.url is not None and (file := cached_file(cache_name(source.url))).is_file():
        return file
    repositories = [source.repo, *(entry.repository(alias) for alias in entry.aliases)]
    for repo in dict.fromkeys(filter(None, repositories)):
        folder = cached_folder(repo)
        if folder is None:
            continue
        if source.file is not None and repo == source.repo and (folder / source.file).is_file():
            return folder / source.file
        if has_weights(path.name for path in folder.iterdir() if path.is_file()):
            return folder
    return None
