"""Vectors of a dataset's pictures and texts, cached on disk, so that a second evaluation encodes nothing.

The name of a cache file is a digest of everything that its vectors depend on: the model's space and build, and the path, size
and modification time of every picture, or every text. A deleted or damaged cache file costs time and changes no result.
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

Alter = Callable[[int, Path | str], ImageInput]  # (number of a picture, its file or URL) -> the picture to encode instead

FORMAT = 1  # of a cache file, part of its key
TEXTS_AT_ONCE = 1024


@dataclass(frozen=True)
class PictureFeatures:
    """vectors: (K, D) float32, of unit length, of the readable pictures; readable: (K,) int64, their numbers among all."""

    vectors: np.ndarray
    readable: np.ndarray
    failed: dict[str, str]  # path or URL -> why it could not be read


@dataclass(frozen=True)
class TextFeatures:
    """vectors: (T, D) float32, of unit length. truncated: the number of texts longer than the model's context."""

    vectors: np.ndarray
    truncated: int


def picture_features(
    model: Model,
    images: Sequence[Path | str],
    *,
    alter: Alter | None = None,
    variant: str = "",
    progress: NamedProgress | None = None,
) -> PictureFeatures:
    """The pictures' vectors, from the cache if nothing has changed. Raises InputError if no picture can be read.

    alter: replaces each picture before it is encoded; variant: then names exactly what it does, for the cache. Datasets with
    URLs are encoded every time, because only a fetch would show whether a picture has changed.
    """
    if not images:
        raise InputError("expected at least one picture, got none")
    file = None
    if not any(is_url(image) for image in images):
        file = _file("pictures", model, [variant, *(_signature(image) for image in images)])
    features = None if file is None else _cached_pictures(file, len(images), model.dim)
    if features is None:
        features, cacheable = _encode_pictures(model, images, alter, progress)
        if file is not None and cacheable:
            failed = json.dumps(features.failed)
            write_arrays(
                file, vectors=features.vectors, kept=features.readable, failed=np.frombuffer(failed.encode(), dtype=np.uint8)
            )
    if not len(features.readable):
        path, reason = next(iter(features.failed.items()))
        raise InputError(f"none of {len(images)} pictures can be read; the first, {printable(path)}: {reason}")
    return features


def text_features(model: Model, texts: Sequence[str], *, progress: NamedProgress | None = None) -> TextFeatures:
    """The texts' vectors, from the cache if it has them. Raises MissingCapability for a model without a text tower."""
    file = _file("texts", model, texts)
    stored = read_arrays(file)
    if stored is not None:
        vectors, truncated = stored.get("vectors"), stored.get("truncated")
        if _fits(vectors, len(texts), model.dim) and vectors is not None and truncated is not None and truncated.shape == ():
            return TextFeatures(vectors, int(truncated))
    vectors, count = np.empty((len(texts), model.dim), dtype=np.float32), 0
    for start in range(0, len(texts), TEXTS_AT_ONCE):
        if progress:
            progress("texts", start, len(texts))
        batch = list(texts[start : start + TEXTS_AT_ONCE])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", TruncatedText)  # counted instead
            vectors[start : start + len(batch)] = model.encode_text(batch)
        count += int(np.sum(model.tokenizer(batch).truncated))
    if progress:
        progress("texts", len(texts), len(texts))
    write_arrays(file, vectors=vectors, truncated=np.array(count))
    return TextFeatures(vectors, count)


def _encode_pictures(
    model: Model, images: Sequence[Path | str], alter: Alter | None, progress: NamedProgress | None
) -> tuple[PictureFeatures, bool]:
    """(features, whether they may be cached): not with a transient fault, which another run may not meet."""
    rows, readable, failed, cacheable = [], [], {}, True
    items = iter(images) if alter is None else _altered(images, alter)
    for number, result in enumerate(model.each_image(items)):
        if isinstance(result, UnreadableImage):
            failed[str(images[number])] = result.reason
            cacheable = cacheable and not result.transient
        else:
            rows.append(result)
            readable.append(number)
        if progress:
            progress("pictures", number + 1, len(images))
    vectors = np.stack(rows) if rows else np.empty((0, model.dim), dtype=np.float32)
    return PictureFeatures(vectors, np.array(readable, dtype=np.int64), failed), cacheable


def _altered(images: Sequence[Path | str], alter: Alter) -> Iterator[ImageInput]:
    """Altered pictures in order. Raises UnreadableImage; only pictures that have been read before are altered."""
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


def _cached_pictures(file: Path, count: int, dim: int) -> PictureFeatures | None:
    stored = read_arrays(file)
    if stored is None:
        return None
    vectors, readable, failed = (stored.get(name) for name in ("vectors", "kept", "failed"))
    if vectors is None or readable is None or failed is None or not _fits(vectors, len(readable), dim):
        return None
    try:
        reasons = json.loads(failed.tobytes())
    except ValueError:
        return None
    if len(readable) > count or not np.isin(readable, np.arange(count)).all() or not isinstance(reasons, dict):
        return None
    return PictureFeatures(vectors, readable, reasons)


def _fits(vectors: np.ndarray | None, rows: int, dim: int) -> bool:
    return vectors is not None and vectors.dtype == np.float32 and vectors.shape == (rows, dim)
