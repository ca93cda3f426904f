"""Arithmetic of embeddings: unit length, and the largest scores."""

import numpy as np

from seesay.errors import InputError

FEW = 32  # up to this k, one pass over the scores per result costs less than partitioning them


def top_k(scores: np.ndarray, k: int) -> np.ndarray:
    """Indices of the k largest of finite scores (N,), best first; equal scores in order of position."""
    k = min(k, len(scores))
    if k <= 0:
        return np.empty(0, dtype=np.intp)
    if k <= FEW:
        remaining, best = scores.copy(), np.empty(k, dtype=np.intp)
        for rank in range(k):
            best[rank] = remaining.argmax()
            remaining[best[rank]] = -np.inf
        return best
    threshold = np.partition(scores, len(scores) - k)[len(scores) - k]
    candidates = np.flatnonzero(scores >= threshold)  # all ties with the last one, so that the order is deterministic
    order = np.argsort(-scores[candidates], kind="stable")
    return candidates[order[:k]]


def normalize(vectors: np.ndarray) -> np.ndarray:
    """Vectors (..., D) -> float32 at unit length along the last axis; a zero vector stays zero."""
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.maximum(length, np.finfo(np.float32).tiny), dtype=np.float32)


def check_vectors(vectors: np.ndarray, what: str) -> np.ndarray:
    """The same vectors (N, D), N above 0. Raises InputError, which calls them `what`, for another shape, NaN, or a vector of
    length 0."""
    vectors = np.asarray(vectors)
    if vectors.ndim != 2 or not vectors.size:
        raise InputError(f"{what}: expected vectors (N, D), got an array {vectors.shape}")
    if not np.isfinite(vectors).all():
        row = int(np.flatnonzero(~np.isfinite(vectors).all(axis=1))[0])
        raise InputError(f"{what}: vector {row} has values that are no finite numbers (NaN or infinite)")
    if not vectors.any(axis=1).all():
        row = int(np.flatnonzero(~vectors.any(axis=1))[0])
        raise InputError(f"{what}: vector {row} is zero, which has no direction")
    return vectors
