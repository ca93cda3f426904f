"""All vectors of a kind in a library, as one search sees them: those of the matrix, and the newest, which only the database
has."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

Part = tuple[np.ndarray, np.ndarray]  # ids (N,) int64, ascending, and vectors (N, D) float32


@dataclass(frozen=True)
class Vectors:
    """parts: that of the matrix, which may be empty, and further ones with higher ids. generation: of the matrix."""

    parts: Sequence[Part]
    generation: int

    @property
    def kept(self) -> Part:
        """What the matrix holds."""
        return self.parts[0]

    @cached_property
    def ids(self) -> np.ndarray:
        return self.kept[0] if len(self.parts) == 1 else np.concatenate([ids for ids, _ in self.parts])

    def cosines(self, vector: np.ndarray) -> np.ndarray:
        """vector (D,) at unit length -> (N,) float32."""
        if len(self.parts) == 1:
            return np.asarray(self.kept[1] @ vector)
        return np.concatenate([vectors @ vector for _, vectors in self.parts])
