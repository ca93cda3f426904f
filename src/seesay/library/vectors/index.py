"""The `VectorIndex` protocol: what a library needs of a store of vectors.

An index holds unit vectors of one space under integer ids, in two kinds. It is derived from the database, which has every
vector too: it may be behind, damaged or lost, and is then extended or rebuilt. An id names one vector forever, and new ids are
higher than all earlier ones, so an index is extended at its end and nothing in it is ever changed.

tests/library/test_vector_index.py is the contract: every store has to pass it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

import numpy as np

Kind = Literal["image", "text"]
KINDS: tuple[Kind, ...] = ("image", "text")


class VectorRow(NamedTuple):
    """One vector of the database. vector: D little-endian float32 numbers, at unit length."""

    id: int
    kind: Kind
    vector: bytes


@dataclass(frozen=True)
class IndexState:
    """The contents of an index in short. Every vector of the database with an id up to `last_id` is in the index, or deleted.

    generation: another one after every change that is not an addition at the end; positions of one generation stay valid.
    counts: rows by kind.
    """

    generation: int
    last_id: int
    counts: Mapping[str, int]


EMPTY = IndexState(0, 0, dict.fromkeys(KINDS, 0))


class VectorView(Protocol):
    """The rows of one kind at one moment; later changes of the index do not show in it.

    A position is the place of a row, 0 to N - 1.
    """

    @property
    def ids(self) -> np.ndarray:
        """(N,) int64, ascending."""
        ...

    def cosines(self, query: np.ndarray) -> np.ndarray:
        """(D,) at unit length -> (N,) float32, in order of position. Exact."""
        ...

    def read(self, start: int, stop: int) -> np.ndarray:
        """(M, D) float32: the rows of a range of positions."""
        ...

    def take(self, positions: np.ndarray) -> np.ndarray:
        """(M,) -> (M, D) float32: the rows of these positions, in their order."""
        ...


class VectorIndex(Protocol):
    """A store of vectors. Readers need no lock; the second half is for the one writer that holds the library's lock."""

    dim: int

    def state(self) -> IndexState:
        """The present state; `EMPTY` where nothing usable is stored."""
        ...

    def view(self, kind: Kind, state: IndexState) -> VectorView | None:
        """The rows of a kind as of a state; None where they cannot be read, and the index has to be rebuilt."""
        ...

    def add(self, rows: Iterable[VectorRow], last_id: int) -> None:
        """Appends rows with ids above all earlier ones, in ascending order, and publishes them together with `last_id`.

        Readers see all of them or none, also when the writer is killed. Raises LibraryError where they cannot be written.
        """
        ...

    def replace_all(self, rows: Iterable[VectorRow], last_id: int) -> None:
        """Replaces whatever is stored, also damaged files, by these rows, in ascending order of id: a new generation."""
        ...

    def remove(self, ids: np.ndarray) -> None:
        """Removes rows by id, (M,) int64; unknown ids are ignored. The others keep their order: a new generation."""
        ...


def is_complete(index: VectorIndex, state: IndexState) -> bool:
    """Whether all rows of the state can be read."""
    return all(index.view(kind, state) is not None for kind in KINDS)
