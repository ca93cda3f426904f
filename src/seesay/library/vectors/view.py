"""All vectors of a kind in a library, as one search sees them: those of the matrix, and the newest, which only the database
has."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

# Up to so many numbers one core multiplies them, in at most a millisecond. The threads of numpy's own product wait for each
# other in loops, and where others want the cores 2,000 vectors took them 6 ms instead of 0.06, and as much processor time.
ALONE = 2**21
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
        found = [_product(vectors, vector) for _, vectors in self.parts]
        return found[0] if len(found) == 1 else np.concatenate(found)


def _product(vectors: np.ndarray, vector: np.ndarray) -> np.ndarray:
    """(N, D), (D,) -> (N,)."""
    return np.einsum("nd,d->n", vectors, vector) if vectors.size <= ALONE else np.asarray(vectors @ vector)
