"""Distances between two sets of pictures in CLIP space: CMMD, and the Fréchet distance; and what chance alone would give."""

from typing import NamedTuple

import numpy as np

from seesay.errors import InputError
from seesay.models.vectors import check_vectors, normalize

SIGMA = 10.0  # of the Gaussian kernel
SCALE = 1000.0
TILE = 1024  # rows and columns of the kernel that are held at a time: 8 MB
DIVISIONS = 200  # random divisions of all pictures, for what chance gives CMMD
FRECHET_DIVISIONS = 5


class Cmmd(NamedTuple):
    """value: as the authors' code has it. unbiased: as the paper's formula has it, which may be below 0. chance: the mean value
    of random divisions of all pictures, into parts as large as these. chance_95: what 95 % of them stay below."""

    value: float
    unbiased: float
    chance: float
    chance_95: float


class Frechet(NamedTuple):
    """value: the distance. chance: the mean of random divisions of all pictures into parts as large as these."""

    value: float
    chance: float


def cmmd(a: np.ndarray, b: np.ndarray, *, divisions: int = DIVISIONS, seed: int = 0) -> Cmmd:
    """The maximum mean discrepancy of vectors a (N, D) and b (M, D), at unit length, times 1000 (CMMD).

    Jayasumana and others 2024, "Rethinking FID", with a Gaussian kernel of sigma 10. Their code has the biased estimate (a
    V-statistic, with each picture's kernel with itself), their formula the unbiased one; both are given. With random
    divisions, all from one pass over the kernel, in tiles. Needs two vectors a side. Raises InputError.
    """
    a, b = _checked(a, b)
    vectors, first = np.concatenate([a, b]), len(a)
    side = np.ones((len(vectors), 1 + divisions))
    side[first:, 0] = -1
    generator = np.random.default_rng(seed)
    for column in range(1, 1 + divisions):
        side[:, column] = -1
        side[generator.permutation(len(vectors))[:first], column] = 1
    inside, across = _kernel_sums(vectors, side > 0)
    sizes = np.array([first, len(b)])
    values = SCALE * (inside / sizes[:, None] ** 2).sum(axis=0) - 2 * SCALE * across / np.prod(sizes)
    # The kernel is taken less 1, which changes no value and keeps its small differences: a picture with itself then has 0.
    unbiased = SCALE * float((inside[:, 0] / (sizes * (sizes - 1))).sum() - 2 * across[0] / np.prod(sizes))
    chance = values[1:] if divisions else np.array([np.nan])
    return Cmmd(float(values[0]), unbiased, float(chance.mean()), float(np.percentile(chance, 95)))


def _kernel_sums(vectors: np.ndarray, first: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sums of the kernel less 1 for each column of first (P, C), which says what is in the first set: (within the first and
    within the second (2, C), across (C,))."""
    inside, across = np.zeros((2, first.shape[1])), np.zeros(first.shape[1])
    member = first.astype(np.float64)
    for top in range(0, len(vectors), TILE):
        rows = vectors[top : top + TILE]
        of_first, of_all = np.zeros((len(rows), first.shape[1])), np.zeros(len(rows))
        for left in range(0, len(vectors), TILE):
            kernel = np.expm1((rows @ vectors[left : left + TILE].T - 1) / SIGMA**2)
            of_first += kernel @ member[left : left + TILE]
            of_all += kernel.sum(axis=1)
        here = member[top : top + TILE]
        inside[0] += (here * of_first).sum(axis=0)
        across += ((1 - here) * of_first).sum(axis=0)
        inside[1] += ((1 - here) * (of_all[:, None] - of_first)).sum(axis=0)
    return inside, across


def frechet(a: np.ndarray, b: np.ndarray, *, divisions: int = FRECHET_DIVISIONS, seed: int = 0) -> Frechet:
    """The Fréchet distance of the normal distributions of vectors a (N, D) and b (M, D), at unit length.

    The formula of FID (Heusel and others 2017), |m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^1/2), on CLIP's vectors.
    With few pictures a covariance is poorly known and the distance too large: compare sets of one size only, and with `chance`.
    Needs two vectors a side. Raises InputError.
    """
    a, b = _checked(a, b)
    vectors, generator = np.concatenate([a, b]), np.random.default_rng(seed)
    chance = []
    for _ in range(divisions):
        order = generator.permutation(len(vectors))
        chance.append(_frechet(vectors[order[: len(a)]], vectors[order[len(a) :]]))
    return Frechet(_frechet(a, b), float(np.mean(chance)) if chance else float("nan"))


def _frechet(a: np.ndarray, b: np.ndarray) -> float:
    difference = a.mean(axis=0) - b.mean(axis=0)
    first, second = (np.cov(each, rowvar=False).reshape(a.shape[1], a.shape[1]) for each in (a, b))
    # The trace of (C1 C2)^1/2 is that of the symmetric (R C2 R)^1/2 with R = C1^1/2, whose eigenvalues numpy finds exactly.
    values, axes = np.linalg.eigh(first)
    root = (axes * np.sqrt(np.maximum(values, 0))) @ axes.T
    shared = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ second @ root), 0)).sum()
    return max(0.0, float(difference @ difference + np.trace(first) + np.trace(second) - 2 * shared))


def _checked(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both at unit length, float64. Raises InputError."""
    a, b = (normalize(check_vectors(each, name)).astype(np.float64) for name, each in (("a", a), ("b", b)))
    if a.shape[1] != b.shape[1]:
        raise InputError(f"expected vectors of one width, got {a.shape} and {b.shape}")
    if min(len(a), len(b)) < 2:
        raise InputError(f"a distance needs at least two pictures on both sides, got {len(a)} and {len(b)}")
    return a, b
