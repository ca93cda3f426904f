"""What the caches hold of models from elsewhere, and how to be rid of it: `cached`, `remove`."""

import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from seesay.checkpoints.hub.catalog import cached_as, catalog, find
from seesay.checkpoints.hub.download import repos_fetched
from seesay.errors import InputError, ModelError
from seesay.models.config import read_config
from seesay.system.cache import cache_dir


@dataclass(frozen=True)
class Cached:
    """kind "prepared": a SeeSay folder made of a checkpoint, made again where it is needed; "file": fetched from a URL;
    "repository": fetched from a hub, in the hub library's cache, which other programs share; "unfinished": left behind by a
    run that was ended. names: all by which it can be removed, the one that is shown first."""

    names: tuple[str, ...]
    kind: Literal["prepared", "file", "repository", "unfinished"]
    path: Path
    size_bytes: int


def cached() -> list[Cached]:
    """Everything that SeeSay put into the caches, by name."""
    return sorted([*_prepared(), *_files(), *_repositories()], key=lambda one: (one.names[0].lower(), one.kind))


def remove(*names: str) -> list[Cached]:
    """Removes what has these names, and returns it; a model of the catalogue by any name of its own, whatever form it has here.

    Raises InputError, and removes nothing, where a name has nothing; ModelError where it cannot be removed.
    """
    there, wanted = cached(), {name: _meant(name) for name in names}
    found = [one for one in there if any(meant & {name.lower() for name in one.names} for meant in wanted.values())]
    known = {name.lower() for one in found for name in one.names}
    if missing := [name for name, meant in wanted.items() if not meant & known]:
        shown = ", ".join(dict.fromkeys(one.names[0] for one in there)) or "nothing"
        raise InputError(f"the cache has no {', '.join(missing)}; it has {shown}")
    for one in found:
        try:
            _remove(one)
        except OSError as error:
            raise ModelError(f"cannot remove {one.path}: {error.strerror or error}") from None
    return found


def _meant(name: str) -> set[str]:
    entry = find(name)
    return {each.lower() for each in (name, *((entry.id, *entry.aliases) if entry else ()))}


def _remove(one: Cached) -> None:
    if one.kind != "prepared":
        shutil.rmtree(one.path) if one.path.is_dir() else one.path.unlink()
        return
    going = one.path.with_name(f"{one.path.name}.part-{os.getpid()}")  # renamed first: no half of it is ever taken for whole
    one.path.rename(going)
    shutil.rmtree(going)
    one.path.with_suffix(".lock").unlink(missing_ok=True)


def _prepared() -> Iterator[Cached]:
    for folder in _inside(cache_dir() / "models"):
        if not folder.is_dir():
            continue
        if ".part-" in folder.name:
            yield Cached((folder.name,), "unfinished", folder, _size(folder))
            continue
        name = folder.name
        with suppress(ModelError):  # of another version
            name = read_config(folder).name
        yield Cached((name, folder.name), "prepared", folder, _size(folder))


def _files() -> Iterator[Cached]:
    models = {cached_as(m.source.url): m for m in catalog().models if m.source.url}
    for file in _inside(cache_dir() / "files"):
        if file.suffix == ".lock" or not file.is_file():
            continue
        model = models.get(file.name.removesuffix(".part"))
        names = (*([model.id] if model else []), file.name)
        yield Cached(names, "unfinished" if file.suffix == ".part" else "file", file, file.stat().st_size)


def _repositories() -> Iterator[Cached]:
    for repo, folder in repos_fetched():
        yield Cached((repo,), "repository", folder, _size(folder))


def _inside(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _size(folder: Path) -> int:
    """Links count nothing: in a hub's cache they point to contents in the same folder."""
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
