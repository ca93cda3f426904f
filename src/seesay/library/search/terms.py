"""`Terms`: the vectors of a query: one sum of its positive terms, and each negative term by itself."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from seesay.errors import InputError
from seesay.models.vectors import normalize

STRENGTH = 2.0  # of a negative term beside a positive one of the same weight


@dataclass(frozen=True)
class Terms:
    """positive (D,): weighted sum of the positive terms at unit length; of the negated negative ones, if all are negative.

    negative: unit vectors (D,) with their weights, above 0; empty if all terms are negative.
    """

    positive: np.ndarray
    negative: tuple[tuple[np.ndarray, float], ...] = ()

    @staticmethod
    def weighted(vectors: Sequence[np.ndarray], weights: Sequence[float]) -> "Terms":
        """vectors (D,) each, at unit length, with weights other than 0. Raises InputError where they cancel out."""
        weight = np.asarray(weights, dtype=np.float32)
        stacked = np.stack(vectors)
        summed = weight > 0 if (weight > 0).any() else weight < 0
        total = (weight[summed, None] * stacked[summed]).sum(axis=0)
        if np.linalg.norm(total) < 1e-3 * np.abs(weight[summed]).sum():
            raise InputError("the parts of the query take each other away, and nothing is left to look for")
        negative = [(row, -float(w)) for row, w in zip(stacked[~summed], weight[~summed], strict=True)]
        return Terms(normalize(total), tuple(negative))

    def penalty(self, deviations: Sequence[np.ndarray]) -> np.ndarray:
        """How much the negative terms lower the ranks (N,) of pictures.

        deviations: (N,) for each negative term: by how many standard deviations of neutral phrases a picture shows it. Where
        that is positive, its rank loses STRENGTH times as much.
        """
        total = np.zeros_like(deviations[0])
        for (_, weight), row in zip(self.negative, deviations, strict=True):
            total += np.float32(STRENGTH * weight) * np.maximum(row, 0)
        return total

    def penalty_by_spread(self, ranks: np.ndarray, cosines: Sequence[np.ndarray]) -> np.ndarray:
        """The same (N,) where cosines cannot be compared with phrases': terms that are images, or a search among texts.

        Deviations are then those of the library, from its mean: ranks (N,), cosines (N,) of each negative term.
        """
        deviations = [(row - row.mean()) / max(float(row.std()), 1e-6) for row in cosines]
        return np.asarray(float(ranks.std()) * self.penalty(deviations), dtype=np.float32)
