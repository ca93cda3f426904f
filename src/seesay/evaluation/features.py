"""Vectors of a dataset by a model, kept in the cache folder, so that a second evaluation costs no encoding.

A cache file is named by a digest of everything that its vectors depend on: the model's space and build, and every picture's
path, size and time of change, or every text. It is derived: deleting it, or damaging it, costs time and changes no answer.
"""

import hashlib
import json
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from seesay.errors import InputError, TruncatedText, UnreadableImage
from seesay.images.read import ImageInput
from seesay.model import IMAGE_BATCH, Model
from seesay.system.cache import cache_dir
from seesay.system.cpu import available_cores
from seesay.system.files import read_arrays, write_arrays
from seesay.system.paths import absolute, is_url, printable
from seesay.system.prefetch import prefetch
from seesay.system.progress import NamedProgress

Alter = Callable[[int, Path | str], ImageInput]  # a picture's number and place -> what is encoded in its stead

FORMAT = 1  # part of every key; raised when what a file holds changes
TEXTS_AT_ONCE = 1024


@dataclass(frozen=True)
class Pictures:
    """`vectors` (K, D) float32, unit length, of what could be read; `kept` (K,) int64 their numbers among all asked for."""

    vectors: np.ndarray
    kept: np.ndarray
    failed: dict[str, str]  # path or URL -> why it could not be read


@dataclass(frozen=True)
class Texts:
    """`vectors` (T, D) float32, unit length. `truncated` texts are longer than the model's context and lost their end."""

    vectors: np.ndarray
    truncated: int


def picture_features(
    model: Model,
    images: Sequence[Path | str],
    *,
    alter: Alter | None = None,
    variant: str = "",
    progress: NamedProgress | None = None,
) -> Pictures:
    """The pictures' vectors, from the cache where nothing has changed. Raises InputError where not one can be read.

    `alter` replaces each picture before it is encoded; `variant` then names exactly what it does, for the cache. Tables with
    URLs are encoded every time, because only a fetch would show whether a picture changed.
    """
    if not images:
        raise InputError("expected at least one picture, got none")
    file = None
    if not any(is_url(image) for image in images):
        file = _file("pictures", model, [variant, *(_signature(image) for image in images)])
    found = None if file is None else _stored_pictures(file, len(images), model.dim)
    if found is None:
        found, certain = _encode_pictures(model, images, alter, progress)
        if file is not None and certain:
            failed = json.dumps(found.failed)
            write_arrays(file, vectors=found.vectors, kept=found.kept, failed=np.frombuffer(failed.encode(), dtype=np.uint8))
    if not len(found.kept):
        path, reason = next(iter(found.failed.items()))
        raise InputError(f"none of {len(images)} pictures can be read; the first, {printable(path)}: {reason}")
    return found


def text_features(model: Model, texts: Sequence[str], *, progress: NamedProgress | None = None) -> Texts:
    """The texts' vectors, from the cache where they are known. Raises MissingCapability for a model without a text tower."""
    file = _file("texts", model, texts)
    stored = read_arrays(file)
    if stored is not None:
        vectors, truncated = stored.get("vectors"), stored.get("truncated")
        if _fits(vectors, len(texts), model.dim) and vectors is not None and truncated is not None and truncated.shape == ():
            return Texts(vectors, int(truncated))
    vectors, cut = np.empty((len(texts), model.dim), dtype=np.float32), 0
    for start in range(0, len(texts), TEXTS_AT_ONCE):
        if progress:
            progress("texts", start, len(texts))
        some = list(texts[start : start + TEXTS_AT_ONCE])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", TruncatedText)  # one count at the end, instead of a warning for each part
            vectors[start : start + len(some)] = model.encode_text(some)
        cut += int(np.sum(model.tokenizer(some).truncated))
    if progress:
        progress("texts", len(texts), len(texts))
    write_arrays(file, vectors=vectors, truncated=np.array(cut))
    return Texts(vectors, cut)


def _encode_pictures(
    model: Model, images: Sequence[Path | str], alter: Alter | None, progress: NamedProgress | None
) -> tuple[Pictures, bool]:
    """And whether all faults are the files' own, so that they may be remembered."""
    rows, kept, failed, certain = [], [], {}, True
    items = iter(images) if alter is None else _altered(images, alter)
    for number, result in enumerate(model.each_image(items)):
        if isinstance(result, UnreadableImage):
            failed[str(images[number])] = result.reason
            certain = certain and not result.transient
        else:
            rows.append(result)
            kept.append(number)
        if progress:
            progress("pictures", number + 1, len(images))
    vectors = np.stack(rows) if rows else np.empty((0, model.dim), dtype=np.float32)
    return Pictures(vectors, np.array(kept, dtype=np.int64), failed), certain


def _altered(images: Sequence[Path | str], alter: Alter) -> Iterator[ImageInput]:
    """Raises UnreadableImage: who alters pictures has read them before."""
    return prefetch(lambda pair: alter(*pair), enumerate(images), threads=available_cores(), ahead=2 * IMAGE_BATCH)


# The cache


def _signature(image: Path | str) -> list[object]:
    path = absolute(image)
    try:
        status = os.stat(path)
    except OSError:
        return [path]
    return [path, status.st_size, status.st_mtime_ns]


def _file(kind: str, model: Model, inputs: Sequence[object]) -> Path:
    key = json.dumps([FORMAT, kind, model.space_id, model.build_id, model.dim, list(inputs)])  # escapes whatever is not ASCII
    return cache_dir() / "evaluation" / f"{kind}-{hashlib.sha256(key.encode()).hexdigest()[:32]}.npz"


def _stored_pictures(file: Path, asked: int, dim: int) -> Pictures | None:
    stored = read_arrays(file)
    if stored is None:
        return None
    vectors, kept, failed = (stored.get(name) for name in ("vectors", "kept", "failed"))
    if vectors is None or kept is None or failed is None or not _fits(vectors, len(kept), dim):
        return None
    try:
        reasons = json.loads(failed.tobytes())
    except ValueError:
        return None
    if len(kept) > asked or not np.isin(kept, np.arange(asked)).all() or not isinstance(reasons, dict):
        return None
    return Pictures(vectors, kept, reasons)


def _fits(vectors: np.ndarray | None, rows: int, dim: int) -> bool:
    return vectors is not None and vectors.dtype == np.float32 and vectors.shape == (rows, dim)
