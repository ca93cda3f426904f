"""Converts a checkpoint into a SeeSay folder (cached by `prepared`), or into a folder for another library.

A SeeSay folder opens in a second and without torch, whatever format the checkpoint had.
"""

import hashlib
import json
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from gettext import gettext as _
from pathlib import Path
from typing import TYPE_CHECKING

from seesay.checkpoints.containers.weights import weights_file
from seesay.checkpoints.formats import registry, writing
from seesay.checkpoints.formats.seesay import Storage, write_folder
from seesay.checkpoints.graphs import prepare
from seesay.checkpoints.graphs.local import local_graphs
from seesay.checkpoints.hub.files import DESCRIPTIONS
from seesay.checkpoints.hub.locate import ADAPTER, known_as
from seesay.checkpoints.overrides import Overrides
from seesay.checkpoints.reader import Checkpoint, open_checkpoint
from seesay.errors import InputError, ModelError
from seesay.models.config import is_model_folder
from seesay.models.tower_config import check_encodes
from seesay.system.cache import cache_dir
from seesay.system.files import lock_file
from seesay.system.schema import to_json

if TYPE_CHECKING:
    from seesay.models.clip import Clip

GRAPHS = 4  # increased when exported graphs or the reading of checkpoints change, so that cached folders are made anew


@dataclass(frozen=True)
class Conversion:
    """The folder written, and the largest difference of unit embeddings from torch by tower, and for "dense"."""

    folder: Path
    differences: dict[str, float]


def prepared(
    path: Path, overrides: Overrides | None = None, *, encodes: bool = False, adapter: str | os.PathLike[str] | None = None
) -> Path:
    """The SeeSay folder of a checkpoint, from the cache or converted now (seconds to a minute; needs the extra `torch`, unless
    it is a folder of graphs that others exported).

    encodes: raise MissingCapability for a model that finds things, before the work. adapter: a folder with a LoRA adapter,
    which is merged into the weights. Raises CheckpointError, ModelError, MissingExtra.
    """
    overrides = overrides or Overrides()
    graphs = local_graphs(path, overrides.variant) if adapter is None else None
    files = _weights_and_descriptions(path) if graphs is None else graphs.paths
    if adapter is not None:
        files = [*files, *(Path(adapter) / name for name in ADAPTER)]
    folder = cache_dir() / "models" / _fingerprint(files, overrides)
    if (folder / "config.json").is_file():
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ModelError(
            f"cannot write to the cache {folder.parent}: {error.strerror or error}. SEESAY_CACHE names another place"
        ) from None
    lock = lock_file(folder.with_suffix(".lock"), wait=True)
    try:
        if not (folder / "config.json").is_file():
            if sys.stderr.isatty():
                print(_("seesay: preparing {name} for fast starts, once").format(name=known_as(path)), file=sys.stderr)
            if graphs is None:
                checkpoint = open_checkpoint(path, overrides)
                if encodes:
                    check_encodes(checkpoint.description.image, known_as(path))
                convert(checkpoint, folder, adapter=adapter)
            else:
                with new_folder(folder) as unfinished:
                    prepare.write_folder(graphs, unfinished, overrides)
    finally:
        lock.release()
    return folder


def convert(
    checkpoint: Checkpoint, folder: Path, storage: Storage = "float32", *, adapter: str | os.PathLike[str] | None = None
) -> Conversion:
    """Writes a new SeeSay folder. Weights are stored once: float32 in model.safetensors, quantized ones in the graphs.

    adapter: a folder with a LoRA adapter, which is merged into the weights. Raises CheckpointError, ModelError; InputError
    where the folder exists already.
    """
    with new_folder(folder) as unfinished:
        differences = write_folder(_model(checkpoint, adapter), checkpoint.tokenizer(), unfinished, storage)
    return Conversion(folder, differences)


def _model(checkpoint: Checkpoint, adapter: str | os.PathLike[str] | None) -> "Clip":
    if adapter is None:
        return checkpoint.model()
    checkpoint.check_towers()  # raises MissingExtra where there is no torch
    from seesay.checkpoints.adapters import adapted

    return adapted(checkpoint, Path(adapter))


def convert_to(checkpoint: Checkpoint, folder: Path, target: str) -> None:
    """Writes a folder for another library, one of `registry.writers()`.

    Raises CheckpointError with every reason why that cannot be exact; InputError for an unknown target, or where the folder
    exists already.
    """
    writer = registry.writer(target)
    with new_folder(folder) as unfinished:
        writing.write(checkpoint.model(), checkpoint.tokenizer(), unfinished, writer)


def check_new(folder: Path) -> None:
    """Raises InputError where `folder` exists already."""
    if folder.exists():
        raise InputError(f"{folder} exists already; name a new folder")


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """A temporary folder that is renamed to `folder` at the end, so that a half-written one is never used.

    Raises InputError where `folder` exists already or cannot be written.
    """
    check_new(folder)
    unfinished = folder.with_name(f"{folder.name}.part-{os.getpid()}")
    try:
        unfinished.mkdir(parents=True)
    except OSError as error:
        raise InputError(f"cannot write {folder}: {error.strerror or error}") from None
    try:
        yield unfinished
        for file in unfinished.glob("*.safetensors"):  # which its library makes readable by their owner only
            file.chmod(unfinished.stat().st_mode & 0o666)
        unfinished.rename(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _weights_and_descriptions(path: Path) -> list[Path]:
    if is_model_folder(path):
        return sorted(path.iterdir())
    weights = weights_file(path)
    files = [weights, *(weights.parent / name for name in DESCRIPTIONS)]
    return files + (sorted(weights.parent.glob("*-of-*")) if weights.name.endswith(".json") else [])


def _fingerprint(files: list[Path], overrides: Overrides) -> str:
    """Changes with the weights, with any file that describes them, and with the overrides."""
    facts = []
    for file in files:
        if file.is_file():
            about = file.stat()
            facts.append(f"{file.resolve()} {about.st_size} {about.st_mtime_ns}")
    facts += [json.dumps(to_json(overrides), sort_keys=True), str(GRAPHS)]
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()[:32]
