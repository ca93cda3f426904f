"""What a query looks for, and what it does not want: the vectors of its terms."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from seesay.errors import InputError
from seesay.models.vectors import normalize

STRENGTH = 2.0  # of a negative term beside a positive one of the same weight


@dataclass(frozen=True)
class Terms:
    """positive (D,): the sum of the positive terms at unit length; of the negative ones, negated, where there are no others.
    negative: (D,) unit vectors with their weights, above 0; empty where there are only these."""

    positive: np.ndarray
    negative: tuple[tuple[np.ndarray, float], ...] = ()

    @staticmethod
    def of(vectors: Sequence[np.ndarray], weights: Sequence[float]) -> "Terms":
        """vectors (D,) each, at unit length, with weights other than 0. Raises InputError where nothing is left."""
        weight = np.asarray(weights, dtype=np.float32)
        stacked = np.stack(vectors)
        wanted = weight > 0 if (weight > 0).any() else weight < 0
        total = (weight[wanted, None] * stacked[wanted]).sum(axis=0)
        if np.linalg.norm(total) < 1e-3 * np.abs(weight[wanted]).sum():
            raise InputError("the parts of the query take each other away, and nothing is left to look for")
        others = [(row, -float(w)) for row, w in zip(stacked[~wanted], weight[~wanted], strict=True)]
        return Terms(normalize(total), tuple(others))

    def penalty(self, negative: Sequence[np.ndarray]) -> np.ndarray:
        """What is taken off the ranks (N,) of the positive terms where they are words, given those of each negative one (N,),
        both in deviations of neutral phrases: a picture that shows it loses STRENGTH times as much, others nothing."""
        lost = np.zeros_like(negative[0])
        for (_, weight), row in zip(self.negative, negative, strict=True):
            lost += np.float32(STRENGTH * weight) * np.maximum(row, 0)
        return lost

    def usual_penalty(self, ranks: np.ndarray, negative: Sequence[np.ndarray]) -> np.ndarray:
        """The same where terms are pictures or texts are searched, whose cosines say nothing beside phrases': in deviations of
        the library, from its mean."""
        apart = [(row - row.mean()) / max(float(row.std()), 1e-6) for row in negative]
        return np.asarray(float(ranks.std()) * self.penalty(apart), dtype=np.float32)
