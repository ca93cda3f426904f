"""The `VectorIndex` protocol: what a library needs of a store of vectors.

An index holds unit vectors of one space under integer ids, in two kinds. It is derived from the database, which has every
vector too: it may be behind, damaged or lost, and is then extended or rebuilt. An id names one vector forever, and new ids are
higher than all earlier ones, so an index is extended at its end and nothing in it is ever changed.

An index may be quicker than a comparison with every row: a view of it then says which rows are about the nearest (`nearest`),
and whoever asks compares with those rows themselves (`take`), so that scores are exact whichever index answers.

tests/library/test_vector_index.py is the contract: every store has to pass it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

import numpy as np

from seesay.system.progress import Progress

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


class Nearest(NamedTuple):
    """Positions of rows, ascending. found: (K,), about the nearest of those that an index knows; unknown: (M,), all others."""

    found: np.ndarray
    unknown: np.ndarray


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

    def nearest(self, query: np.ndarray, count: int) -> Nearest | None:
        """(D,) at unit length -> about the `count` nearest rows; None where `cosines` is the way. Raises LibraryError."""
        ...


class VectorIndex(Protocol):
    """A store of vectors. Readers need no lock; the second half is for the one writer that holds the library's lock."""

    dim: int

    @property
    def name(self) -> str:
        """Its name for people: "exact", or that of what finds the nearest, such as "usearch i8"."""
        ...

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

    def check(self) -> None:
        """Raises LibraryError where it does not answer."""
        ...

    def build(self, progress: Progress | None = None) -> None:
        """Brings what finds the nearest up to the rows, which may take hours. Killed, it goes on where it was, or nearly."""
        ...


def is_complete(index: VectorIndex, state: IndexState) -> bool:
    """Whether all rows of the state can be read."""
    return all(index.view(kind, state) is not None for kind in KINDS)
