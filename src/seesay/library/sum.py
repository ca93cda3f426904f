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
        weight = np.asarray(weights, dtype=np.float32)
        weighed = weight[:, None] * np.stack(vectors)
        total: np.ndarray = weighed.sum(axis=0)
        if np.linalg.norm(total) < 1e-3 * np.abs(weight).sum():
            raise InputError("the parts of the query take each other away, and nothing is left to look for")
        if (weight < 0).all() or (weight > 0).all():
            return Sum(total, unit(total), None)
        taken: np.ndarray = weighed[weight < 0].sum(axis=0)
        length = max(float(np.linalg.norm(total - taken)), 1e-6)
        return Sum(total, (total - taken) / length, taken / length)
