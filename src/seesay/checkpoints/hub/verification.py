"""Compares fetched files with the hashes that they are pinned to: of one model, or of all (`verify`)."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from seesay.checkpoints.hub import pins
from seesay.checkpoints.hub.catalog import catalog
from seesay.checkpoints.hub.locate import find_source
from seesay.checkpoints.hub.repository import HASH, fetched_files, fetched_repositories
from seesay.checkpoints.hub.source import HubSource, Source, UrlSource
from seesay.checkpoints.hub.transfer import content_hash
from seesay.checkpoints.hub.url import cache_name, cached_file
from seesay.errors import InputError


@dataclass(frozen=True)
class Verified:
    """A fetched file. name: the model's; file: in its repository. state "unknown": no hash of it is known."""

    name: str
    file: str
    path: Path
    state: Literal["sound", "damaged", "unknown"]


def verify(name: str | None = None) -> Iterator[Verified]:
    """Each fetched file of a model, or of every model, once its content was hashed (a second per gigabyte).

    Raises InputError where nothing of that model was fetched, ModelError for a name that names none.
    """
    if name is None:
        for each in _fetched_sources():
            yield from verified(each)
        return
    source, _ = find_source(name)
    if isinstance(source, Path):
        raise InputError(f"{name} was not fetched: it is {source}")
    found = False
    for one in verified(source):
        found = True
        yield one
    if not found:
        raise InputError(f"nothing of {name} was fetched yet: seesay models pull {name}")


def verified(source: Source) -> Iterator[Verified]:
    """Each fetched file of a source, compared."""
    if isinstance(source, UrlSource):
        file = cached_file(source.name)
        if file.is_file():
            sha256 = source.sha256 or pins.pinned_hash(source.name)
            yield Verified(source.url, source.name, file, _state(file, sha256))
        return
    commit = pins.pinned_commit(source.repo, source.revision)
    if commit is not None:
        yield from _of_commit(source.repo, pins.Pin(source.repo, source.revision or pins.MAIN, commit))


def _of_commit(repo: str, pinned: pins.Pin) -> Iterator[Verified]:
    listed = pins.listing(repo, pinned.commit) or {}
    for name, file in fetched_files(repo, pinned.commit).items():
        blob = listed.get(name)
        stored_as = file.resolve().name  # the hub library's name of a content is its hash
        known = blob.hash if blob and blob.hash else stored_as if HASH.fullmatch(stored_as) else None
        yield Verified(pinned.name, name, file, _state(file, known))


def _state(file: Path, known: str | None) -> Literal["sound", "damaged", "unknown"]:
    if known is None:
        return "unknown"
    return "sound" if content_hash(file, known) == known else "damaged"


def _fetched_sources() -> Iterator[Source]:
    """The sources of everything that SeeSay fetched."""
    there = fetched_repositories()
    for pinned in pins.pins():
        if pinned.repo in there:
            yield HubSource(pinned.repo, None if pinned.revision == pins.MAIN else pinned.revision)
    for model in catalog().models:
        url = model.source.url
        if url is not None and cached_file(cache_name(url)).is_file():
            yield UrlSource(url, cache_name(url), model.source.sha256)
