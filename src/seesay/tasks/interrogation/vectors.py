"""Vectors of a list of texts, computed once for a list and a space, and cached on disk."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from seesay.models.encoder import Encoder
from seesay.models.vectors import normalize
from seesay.system.cache import cache_dir
from seesay.system.files import read_arrays, write_arrays
from seesay.system.progress import Progress

CHUNK = 256  # texts between two reports of progress


def text_vectors(encoder: Encoder, space_id: str, texts: Sequence[str], progress: Progress | None = None) -> np.ndarray:
    """Texts -> (N, D) float32 unit vectors, read from the cache or encoded and cached as float16.

    Another text, another order or another space is another file. Vectors are the same whether they were read or encoded.
    """
    file = cache_file(space_id, texts)
    stored = read_arrays(file)
    if stored is None or "vectors" not in stored or len(stored["vectors"]) != len(texts):
        stored = {"vectors": _encoded(encoder, texts, progress).astype(np.float16)}
        write_arrays(file, **stored)
    return normalize(stored["vectors"].astype(np.float32))


def cache_file(space_id: str, texts: Sequence[str]) -> Path:
    """The file of the cache that is for these texts in this space."""
    digest = hashlib.sha256("\n".join(texts).encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return cache_dir() / "texts" / f"{space_id}-{digest}.npz"


def _encoded(encoder: Encoder, texts: Sequence[str], progress: Progress | None) -> np.ndarray:
    # Texts of similar length share a batch, so that little time goes into padding.
    order = sorted(range(len(texts)), key=lambda at: len(texts[at]))
    parts = []
    for start in range(0, len(order), CHUNK):
        parts.append(encoder.encode_text([texts[at] for at in order[start : start + CHUNK]]))
        if progress is not None:
            progress(min(start + CHUNK, len(order)), len(order))
    vectors = np.concatenate(parts)
    unsorted = np.empty_like(vectors)
    unsorted[order] = vectors
    return unsorted
