"""`ApproximateIndex`: a matrix with a finder beside it, which says about which rows are the nearest.

The matrix has the rows, memory-mapped, so a search reads those few that the finder names, and whatever needs all rows
(browsing, duplicates, maps) finds them as in an exact library. A finder (`graph.py`, `milvus.py`) knows rows by their id, and
may be behind: rows that it does not know are compared one by one, and where they are many, all rows are. A finder that is lost,
or of another generation, knows nothing until it is built again.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from seesay.library.vectors.index import KINDS, IndexState, Kind, Nearest, VectorRow
from seesay.library.vectors.matrix import Matrix
from seesay.library.vectors.view import ArrayView
from seesay.system.progress import Progress

UNKNOWN = 50_000  # rows that a finder does not know; with more, all rows are compared
DEAD = 2.0  # a finder with so many times the rows that are left is made anew


class Reach(NamedTuple):
    """The rows that a finder knows: those of a generation with an id up to `last_id`; some of them may be removed by now."""

    generation: int
    last_id: int
    rows: int


NOTHING = Reach(-1, 0, 0)


class Finder(Protocol):
    """Finds about the nearest of the rows that it knows, by kind. Its writing half is for the holder of the library's lock."""

    patience: int  # so many rows may lie behind before extending it pays

    @property
    def name(self) -> str:
        """Its name for people."""
        ...

    def check(self) -> None:
        """Raises LibraryError where it does not answer."""
        ...

    def reach(self, kind: Kind) -> Reach:
        """The rows that it knows; `NOTHING` where it is not built, or damaged. Raises LibraryError where it does not answer."""
        ...

    def nearest(self, kind: Kind, query: np.ndarray, count: int) -> np.ndarray:
        """(D,) -> (K,) int64, about the `count` nearest, by id, in any order. Raises LibraryError."""
        ...

    def extend(self, kind: Kind, rows: ArrayView, known: Reach, progress: Progress) -> None:
        """Adds the rows with ids above `known.last_id`, keeping part of them now and then; known.rows 0: it is made anew.

        Raises LibraryError.
        """
        ...

    def drop(self, kind: Kind, ids: np.ndarray, generation: int) -> None:
        """Rows (M,) were removed, which began a new generation. Raises LibraryError."""
        ...


@dataclass(frozen=True)
class ApproximateView:
    """A view of the matrix that can say which rows are about the nearest."""

    rows: ArrayView
    kind: Kind
    generation: int
    finder: Finder

    @property
    def ids(self) -> np.ndarray:
        return self.rows.ids

    def cosines(self, query: np.ndarray) -> np.ndarray:
        return self.rows.cosines(query)

    def read(self, start: int, stop: int) -> np.ndarray:
        return self.rows.read(start, stop)

    def take(self, positions: np.ndarray) -> np.ndarray:
        return self.rows.take(positions)

    def nearest(self, query: np.ndarray, count: int) -> Nearest | None:
        ids, reach = self.ids, self.finder.reach(self.kind)
        known = int(np.searchsorted(ids, reach.last_id, side="right")) if reach.generation == self.generation else 0
        if not known or len(ids) - known > UNKNOWN:
            return None
        own = np.sort(self.finder.nearest(self.kind, query, count))
        at = np.searchsorted(ids[:known], own)
        own, at = own[at < known], at[at < known]
        return Nearest(at[ids[at] == own], np.arange(known, len(ids)))


class ApproximateIndex:
    """A `VectorIndex` of a matrix and a finder."""

    def __init__(self, matrix: Matrix, finder: Finder) -> None:
        self.matrix, self.finder, self.dim = matrix, finder, matrix.dim

    @property
    def name(self) -> str:
        return self.finder.name

    def state(self) -> IndexState:
        return self.matrix.state()

    def view(self, kind: Kind, state: IndexState) -> ApproximateView | None:
        rows = self.matrix.view(kind, state)
        return None if rows is None else ApproximateView(rows, kind, state.generation, self.finder)

    def add(self, rows: Iterable[VectorRow], last_id: int) -> None:
        self.matrix.add(rows, last_id)

    def replace_all(self, rows: Iterable[VectorRow], last_id: int) -> None:
        self.matrix.replace_all(rows, last_id)

    def remove(self, ids: np.ndarray) -> None:
        before = self.matrix.state().generation
        known = [kind for kind in KINDS if self.finder.reach(kind).generation == before]
        self.matrix.remove(ids)
        for kind in known:
            self.finder.drop(kind, ids, self.matrix.state().generation)

    def check(self) -> None:
        self.finder.check()

    def build(self, progress: Progress | None = None) -> None:
        state = self.matrix.state()
        behind = list[tuple[Kind, ArrayView, Reach]]()
        for kind in KINDS:
            rows, reach = self.matrix.view(kind, state), self.finder.reach(kind)
            if rows is None:  # the next run writes the matrix anew
                continue
            if reach.generation != state.generation or reach.rows > DEAD * len(rows.ids):
                reach = NOTHING
            missing = len(rows.ids) - int(np.searchsorted(rows.ids, reach.last_id, side="right"))
            if missing > (self.finder.patience if reach.rows else 0):
                behind.append((kind, rows, Reach(state.generation, reach.last_id, reach.rows)))
        for kind, rows, known in behind:
            self.finder.extend(kind, rows, known, progress or (lambda done, total: None))
