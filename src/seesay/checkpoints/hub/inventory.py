"""The cached models: what the caches hold that SeeSay fetched or prepared (`cache_entries`), and its removal (`remove`)."""

import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from seesay.checkpoints.hub import pins
from seesay.checkpoints.hub.catalog import catalog, find
from seesay.checkpoints.hub.repository import fetched_repositories
from seesay.checkpoints.hub.url import cache_name
from seesay.errors import InputError, ModelError
from seesay.models.config import read_config
from seesay.system.cache import cache_dir


@dataclass(frozen=True)
class CacheEntry:
    """A file or folder in a cache.

    names: those by which it can be removed; the first is shown. kind "prepared": a SeeSay folder made from a checkpoint, made
    again when it is needed; "file": fetched from a URL; "repository": fetched from a hub, in the hub library's cache, which
    other programs share; "unfinished": what an interrupted run left. commits: those that a repository's revisions are pinned
    to, by revision.
    """

    names: tuple[str, ...]
    kind: Literal["prepared", "file", "repository", "unfinished"]
    path: Path
    size_bytes: int
    commits: dict[str, str] = field(default_factory=dict)


def cache_entries() -> list[CacheEntry]:
    """Everything that SeeSay stored in the caches, by name."""
    return sorted([*_prepared(), *_files(), *_repositories()], key=lambda entry: (entry.names[0].lower(), entry.kind))


def remove(*names: str) -> list[CacheEntry]:
    """Removes the entries of these names and returns them; any name of a model in the catalogue stands for all its entries.

    Raises InputError, and removes nothing, where a name has no entry; ModelError where an entry cannot be removed.
    """
    entries, synonyms = cache_entries(), {name: _synonyms(name) for name in names}
    chosen = [entry for entry in entries if any(same & _lower(entry.names) for same in synonyms.values())]
    chosen_names = {name for entry in chosen for name in _lower(entry.names)}
    if missing := [name for name, same in synonyms.items() if not same & chosen_names]:
        shown = ", ".join(dict.fromkeys(entry.names[0] for entry in entries)) or "nothing"
        raise InputError(f"the cache has no {', '.join(missing)}; it has {shown}")
    for entry in chosen:
        try:
            _remove(entry)
        except OSError as error:
            raise ModelError(f"cannot remove {entry.path}: {error.strerror or error}") from None
    return chosen


def prepared_names() -> set[str]:
    """The names of the models that were prepared for fast starts, and so run without torch."""
    return {entry.names[0] for entry in _prepared() if entry.kind == "prepared"}


def _lower(names: tuple[str, ...]) -> set[str]:
    return {name.lower() for name in names}


def _synonyms(name: str) -> set[str]:
    model = find(name)
    return _lower((name, f"hf:{name}", *((model.id, *model.aliases) if model else ())))


def _remove(entry: CacheEntry) -> None:
    if entry.kind != "prepared":
        shutil.rmtree(entry.path) if entry.path.is_dir() else entry.path.unlink()
        if entry.kind == "repository":
            pins.forget(entry.names[1])
        elif entry.kind == "file":
            pins.pin_hash(entry.path.name, None)
        return
    doomed = entry.path.with_name(f"{entry.path.name}.part-{os.getpid()}")  # first renamed: a half-removed folder is never used
    entry.path.rename(doomed)
    shutil.rmtree(doomed)
    entry.path.with_suffix(".lock").unlink(missing_ok=True)


def _prepared() -> Iterator[CacheEntry]:
    for folder in _children(cache_dir() / "models"):
        if not folder.is_dir():
            continue
        if ".part-" in folder.name:
            yield CacheEntry((folder.name,), "unfinished", folder, _size(folder))
            continue
        name = folder.name
        with suppress(ModelError):  # written by another version
            name = read_config(folder).name
        yield CacheEntry((name, folder.name), "prepared", folder, _size(folder))


def _files() -> Iterator[CacheEntry]:
    models = {cache_name(model.source.url): model for model in catalog().models if model.source.url}
    for file in _children(cache_dir() / "files"):
        if file.suffix == ".lock" or not file.is_file():
            continue
        model = models.get(file.name.removesuffix(".part"))
        names = (*([model.id] if model else []), file.name)
        yield CacheEntry(names, "unfinished" if file.suffix == ".part" else "file", file, file.stat().st_size)


def _repositories() -> Iterator[CacheEntry]:
    for repo, folder in fetched_repositories().items():
        commits = {pin.revision: pin.commit for pin in pins.pins() if pin.repo == repo}
        yield CacheEntry((f"hf:{repo}", repo), "repository", folder, _size(folder), commits)


def _children(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _size(folder: Path) -> int:
    """Bytes of all files below. Links are not counted: in a hub's cache they point to contents in the same folder."""
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
