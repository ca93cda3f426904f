"""`Sum`: what a query looks for, of its parts' vectors."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from seesay.errors import InputError


@dataclass(frozen=True)
class Sum:
    """wanted (D,): what shall be there, or all of it where there is no such thing. taken (D,): what is added to that, so that
    something else shall not be there. Both of any length."""

    wanted: np.ndarray
    taken: np.ndarray | None = None

    @property
    def vector(self) -> np.ndarray:
        return self.wanted if self.taken is None else self.wanted + self.taken

    @staticmethod
    def of(vectors: Sequence[np.ndarray], weights: Sequence[float]) -> "Sum":
        """vectors (D,) each, at unit length, with weights other than 0. Raises InputError where nothing is left."""
        weight = np.asarray(weights, dtype=np.float32)
        weighed = weight[:, None] * np.stack(vectors)
        negative = weight < 0
        if negative.all() or not negative.any():
            asked = Sum(weighed.sum(axis=0))
        else:
            asked = Sum(weighed[~negative].sum(axis=0), weighed[negative].sum(axis=0))
        if np.linalg.norm(asked.vector) < 1e-3 * np.abs(weight).sum():
            raise InputError("the parts of the query take each other away, and nothing is left to look for")
        return asked
