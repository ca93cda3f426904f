"""Interpolation and arithmetic between unit vectors of pictures and texts: slerp, ways through several, weighted sums.

Vectors of texts and of pictures lie in different cones (the modality gap, Liang and others 2022), and the cosines of a text
with many pictures lie closer together than those of a picture. So in a plain sum of both the text hardly counts. What is done
about it here is `scales`: a vector counts by the standard deviation of its cosines with the pictures that are searched, so that
a text and a picture of one weight move the ranks alike. Moving texts into the pictures' cone, by the difference of the mean
vectors, was measured beside it and found no more than the plain sum (docs/benchmarks.md, benchmarks/mix.py).
"""

import numpy as np

from seesay.errors import InputError
from seesay.models.vectors import check_vectors, normalize

OPPOSITE = 1e-6  # distance from a straight angle, in radians, from which on float64 finds the plane of two vectors
NOTHING = 1e-6  # length of a weighted sum of unit vectors that has no direction left


def slerp(a: np.ndarray, b: np.ndarray, at: float) -> np.ndarray:
    """The point on the great circle from a (D,) to b (D,), unit vectors, `at` 0 to 1 of the way: (D,) float32, of length 1.

    The ends are a and b exactly. Beyond 0 and 1 the circle goes on. Opposite vectors have no one shortest way: it leads over
    the axis (of the D) from which a is furthest, so always the same. Shoemake 1985. Raises InputError.
    """
    first, second = _pair(a, b)
    if at in (0, 1):
        return np.asarray(a if at == 0 else b, dtype=np.float32)
    angle = _angle(first, second)
    if angle < OPPOSITE:
        return normalize((1 - at) * first + at * second)
    if np.pi - angle < OPPOSITE:
        aside = np.zeros_like(first)
        aside[np.abs(first).argmin()] = 1
        aside -= (aside @ first) * first
        return normalize(np.cos(at * angle) * first + np.sin(at * angle) * aside / np.linalg.norm(aside))
    return normalize((np.sin((1 - at) * angle) * first + np.sin(at * angle) * second) / np.sin(angle))


def way(vectors: np.ndarray, steps: int, scales: np.ndarray | None = None) -> np.ndarray:
    """Points (steps, D) float32 on the way through unit vectors (N, D) in order, from the first to the last, by `slerp`.

    Each of the N - 1 pieces has an equal share of the way. scales (N,): with how much weight each vector moves ranks; between
    two of different scales (a picture and a text) the points are spaced so that the change is even in these. Raises InputError
    for fewer than two vectors or steps.
    """
    vectors = check_vectors(vectors, "vectors")
    if len(vectors) < 2 or steps < 2:
        raise InputError(f"a way needs at least two vectors and two steps, got {len(vectors)} and {steps}")
    points = []
    for place in np.linspace(0, len(vectors) - 1, steps):
        piece = min(int(place), len(vectors) - 2)
        a, b, at = vectors[piece], vectors[piece + 1], float(place) - piece
        if scales is not None:
            at = _even(a, b, at, scales[piece], scales[piece + 1])
        points.append(slerp(a, b, at))
    return np.stack(points)


def weighted(vectors: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The sum of vectors (N, D), each times its weight (N,), at unit length: (D,) float32. Weights may be negative.

    Raises InputError where the vectors take each other away, and for weights that do not match or are no numbers.
    """
    vectors, weights = check_vectors(vectors, "vectors"), check_weights(weights, len(vectors))
    total = (weights[:, None] * vectors.astype(np.float64)).sum(axis=0)
    if np.linalg.norm(total) < NOTHING * np.linalg.norm(weights[:, None] * vectors, axis=1).sum():
        raise InputError("the parts of the mix take each other away, and nothing is left; give other weights")
    return normalize(total)


def check_weights(weights: object, count: int) -> np.ndarray:
    """Weights as an array (N,) float64. Raises InputError for another number of them, for NaN, and where all are 0."""
    checked = np.asarray(weights, dtype=np.float64)
    if checked.shape != (count,):
        raise InputError(f"expected a weight for each of {count} parts, got {checked.size}")
    if not np.isfinite(checked).all():
        raise InputError("the weights must be finite numbers")
    if not checked.any():
        raise InputError("all weights are 0; expected one that is not")
    return checked


def _pair(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two vectors (D,) in float64, at unit length again. Raises InputError."""
    rows = check_vectors(np.stack([a, b]), "vectors").astype(np.float64)
    first, second = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return first, second


def _angle(first: np.ndarray, second: np.ndarray) -> float:
    """The angle of two unit vectors, exact also where they are nearly equal or opposite (Kahan 2006)."""
    return float(2 * np.arctan2(np.linalg.norm(first - second), np.linalg.norm(first + second)))


def _even(a: np.ndarray, b: np.ndarray, at: float, scale_a: float, scale_b: float) -> float:
    """Where on the circle from a to b the point lies that is `at` of the way when both are stretched by their scales."""
    angle = _angle(*_pair(a, b))
    if at in (0, 1) or not OPPOSITE < angle < np.pi - OPPOSITE:
        return at
    of_a, of_b = scale_a * np.sin((1 - at) * angle), scale_b * np.sin(at * angle)
    return float(np.arctan2(of_b * np.sin(angle), of_a + of_b * np.cos(angle)) / angle)
