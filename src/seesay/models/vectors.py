"""Vectors at unit length, and exact nearest neighbours."""

import numpy as np

FEW = 32  # up to here, passing over the scores once for each place costs less than partitioning them


def top_k(scores: np.ndarray, k: int) -> np.ndarray:
    """Indices of the k largest of finite scores (N,), best first; equal scores in order of position."""
    k = min(k, len(scores))
    if k <= 0:
        return np.empty(0, dtype=np.intp)
    if k <= FEW:
        left, best = scores.copy(), np.empty(k, dtype=np.intp)
        for place in range(k):
            best[place] = left.argmax()
            left[best[place]] = -np.inf
        return best
    threshold = np.partition(scores, len(scores) - k)[len(scores) - k]
    candidates = np.flatnonzero(scores >= threshold)  # all ties at the border, so that the order is one and the same always
    order = np.argsort(-scores[candidates], kind="stable")
    return candidates[order[:k]]


def unit(vectors: np.ndarray) -> np.ndarray:
    """Vectors at unit length along the last axis; a zero vector stays zero."""
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.maximum(length, np.finfo(np.float32).tiny), dtype=np.float32)
