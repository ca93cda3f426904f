"""Views of vectors in arrays, and of several such arrays as one."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from seesay.library.vectors.index import Kind, Nearest, VectorRow, VectorView

# Up to so many numbers one core multiplies them, in at most a millisecond. The threads of numpy's own product wait for each
# other in loops, and where others want the cores 2,000 vectors took them 6 ms instead of 0.06, and as much processor time.
ONE_CORE = 2**21


@dataclass(frozen=True)
class ArrayView:
    """Vectors in arrays, which may be memory-mapped: ids (N,) int64, ascending; vectors (N, D) float32."""

    ids: np.ndarray
    vectors: np.ndarray

    @staticmethod
    def from_rows(rows: Iterable[VectorRow], kind: Kind, dim: int) -> "ArrayView":
        """The rows of one kind, in memory."""
        own = [(row.id, np.frombuffer(row.vector, "<f4")) for row in rows if row.kind == kind]
        vectors = np.stack([vector for _, vector in own]) if own else np.empty((0, dim), dtype=np.float32)
        return ArrayView(np.array([each for each, _ in own], dtype=np.int64), vectors)

    def cosines(self, query: np.ndarray) -> np.ndarray:
        if self.vectors.size <= ONE_CORE:
            return np.asarray(np.einsum("nd,d->n", self.vectors, query))
        return np.asarray(self.vectors @ query)

    def read(self, start: int, stop: int) -> np.ndarray:
        return self.vectors[start:stop]

    def take(self, positions: np.ndarray) -> np.ndarray:
        return np.asarray(self.vectors[positions])

    def nearest(self, query: np.ndarray, count: int) -> Nearest | None:
        return None


@dataclass(frozen=True)
class Vectors:
    """All vectors of a kind that the library has: those of its index, and the newest, which only the database has yet.

    indexed: the index's view. newest: rows with higher ids, if any. generation: the index's.
    """

    indexed: VectorView
    newest: ArrayView | None
    generation: int

    @property
    def parts(self) -> Sequence[VectorView]:
        return (self.indexed,) if self.newest is None else (self.indexed, self.newest)

    @cached_property
    def ids(self) -> np.ndarray:
        """(N,) int64, ascending."""
        return self.indexed.ids if self.newest is None else np.concatenate([part.ids for part in self.parts])

    def cosines(self, query: np.ndarray) -> np.ndarray:
        """(D,) at unit length -> (N,) float32."""
        if self.newest is None:
            return self.indexed.cosines(query)
        return np.concatenate([part.cosines(query) for part in self.parts])

    def nearest(self, query: np.ndarray, count: int) -> Nearest | None:
        """(D,) -> about the `count` nearest of the index, with all rows that it does not know; None where it is exact."""
        nearest = self.indexed.nearest(query, count)
        if nearest is None or self.newest is None:
            return nearest
        newest = np.arange(len(self.indexed.ids), len(self.ids))
        return nearest._replace(unknown=np.concatenate([nearest.unknown, newest]))

    def at(self, positions: np.ndarray) -> "Vectors":
        """The rows of these positions (M,), ascending, alone, in memory."""
        return Vectors(ArrayView(self.ids[positions], self._take(positions)), None, self.generation)

    def rows(self, ids: np.ndarray) -> np.ndarray:
        """ids (M,), ascending, all of them here -> (M, D) float32."""
        return self._take(np.searchsorted(self.ids, ids))

    def _take(self, at: np.ndarray) -> np.ndarray:
        """Positions (M,), ascending -> (M, D) float32."""
        count = len(self.indexed.ids)
        indexed = self.indexed.take(at[at < count])
        return indexed if self.newest is None else np.concatenate([indexed, self.newest.take(at[at >= count] - count)])
