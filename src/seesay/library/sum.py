"""`Sum`: what a query looks for, of its parts' vectors."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from seesay.errors import InputError
from seesay.tasks.encoder import unit


@dataclass(frozen=True)
class Sum:
    """vector (D,) = length * (wanted + taken). wanted (D,): what shall be there, at length 1; where there is no such thing, all
    of it. taken (D,): what shall not be there, None for nothing."""

    vector: np.ndarray
    wanted: np.ndarray
    taken: np.ndarray | None

    @staticmethod
    def of(vectors: Sequence[np.ndarray], weights: Sequence[float]) -> "Sum":
        """vectors (D,) each, at unit length, with weights other than 0. Raises InputError where nothing is left."""
        weighed = [weight * vector for weight, vector in zip(weights, vectors, strict=True)]
        total = np.sum(weighed, axis=0, dtype=np.float32)
        if np.linalg.norm(total) < 1e-3 * sum(map(abs, weights)):
            raise InputError("the parts of the query take each other away, and nothing is left to look for")
        taken = [vector for weight, vector in zip(weights, weighed, strict=True) if weight < 0]
        if len(taken) in (0, len(weights)):
            return Sum(total, unit(total), None)
        less = np.sum(taken, axis=0, dtype=np.float32)
        length = max(float(np.linalg.norm(total - less)), 1e-6)
        return Sum(total, (total - less) / length, less / length)
