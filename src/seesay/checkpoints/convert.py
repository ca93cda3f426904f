"""A checkpoint as a SeeSay folder: one weights file, graphs that point into it and are proven against torch, vocabulary, spec.

Made once and cached, so that whatever format a model came in, it opens in a second from then on and needs no torch.
"""

import hashlib
import json
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from gettext import gettext as _
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from seesay.checkpoints.containers.weights import weights_file
from seesay.checkpoints.formats import writer
from seesay.checkpoints.hub.files import DESCRIPTIONS
from seesay.checkpoints.overrides import Said
from seesay.checkpoints.reader import Checkpoint, open_checkpoint
from seesay.errors import InputError, ModelError
from seesay.system.cache import cache_dir
from seesay.system.files import lock_file
from seesay.system.schema import to_json

if TYPE_CHECKING:
    from seesay.models.clip import Clip

GRAPHS = 4  # raised when exported graphs or what is read of a checkpoint change, so that folders in caches are made anew
Storage = Literal["float32", "int8", "int8-rows"]


@dataclass(frozen=True)
class Conversion:
    """What was written, and the largest difference from torch of unit embeddings, per tower (and "dense")."""

    folder: Path
    differences: dict[str, float]


def prepared(path: Path, said: Said | None = None) -> Path:
    """The SeeSay folder of a checkpoint, from the cache or made now (seconds to a minute; needs the extra `torch`)."""
    folder = cache_dir() / "models" / _fingerprint(path, said)
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
                print(_("seesay: preparing {name} for fast starts, once").format(name=path.name), file=sys.stderr)
            convert(open_checkpoint(path, said), folder)
    finally:
        lock.release()
    return folder


def convert(checkpoint: Checkpoint, folder: Path, storage: Storage = "float32") -> Conversion:
    """Writes a SeeSay folder. float32: weights once, in model.safetensors; narrower ones: in the graphs.

    Raises CheckpointError, ModelError; InputError where the folder exists already.
    """
    with new_folder(folder) as unfinished:
        differences = write(checkpoint.model(), checkpoint.tokenizer(), unfinished, storage)
    return Conversion(folder, differences)


def convert_to(checkpoint: Checkpoint, folder: Path, target: writer.Target) -> None:
    """Writes the folder of another library. Raises CheckpointError with every reason why that cannot be exact."""
    with new_folder(folder) as unfinished:
        writer.write(checkpoint.model(), checkpoint.tokenizer(), unfinished, target)


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """A folder beside, renamed at the end: no half-written one is ever found under the right name.

    Raises InputError where there is one already, or none can be made.
    """
    if folder.exists():
        raise InputError(f"{folder} exists already; name a new folder")
    unfinished = folder.with_name(f"{folder.name}.part-{os.getpid()}")
    try:
        unfinished.mkdir(parents=True)
    except OSError as error:
        raise InputError(f"cannot write {folder}: {error.strerror or error}") from None
    try:
        yield unfinished
        for file in unfinished.iterdir():  # safetensors keeps its files from everyone but their owner
            file.chmod(unfinished.stat().st_mode & 0o666)
        unfinished.rename(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def write(clip: "Clip", vocabulary: bytes | None, folder: Path, storage: Storage) -> dict[str, float]:
    """Fills a folder; the differences that `verify` found. Narrow storage is measured, not held to float32's tolerance."""
    from safetensors.torch import save_file

    from seesay.checkpoints.export import TOLERANCE, WEIGHTS, verify, write_graphs

    if storage == "float32":
        save_file({name: tensor.contiguous() for name, tensor in clip.state_dict().items()}, folder / WEIGHTS)
    write_graphs(clip, folder, storage)
    differences = verify(clip, folder, TOLERANCE if storage == "float32" else float("inf"))
    if vocabulary is not None:
        (folder / "tokenizer.json").write_bytes(vocabulary)
    towers = {"image": clip.config.image, "text": clip.config.text}
    config = replace(clip.config, precision={name: storage for name, tower in towers.items() if tower is not None})
    (folder / "config.json").write_text(json.dumps(to_json(config), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return differences


def _fingerprint(path: Path, said: Said | None) -> str:
    """Changes with the weights file, with any file that describes it, and with what the caller says."""
    weights = weights_file(path)
    files = [weights, *(weights.parent / name for name in DESCRIPTIONS)]
    files += sorted(weights.parent.glob("*-of-*")) if weights.name.endswith(".json") else []
    seen = []
    for file in files:
        if file.is_file():
            about = file.stat()
            seen.append(f"{file.resolve()} {about.st_size} {about.st_mtime_ns}")
    return hashlib.sha256("\n".join([*seen, repr(said or Said()), str(GRAPHS)]).encode()).hexdigest()[:32]
