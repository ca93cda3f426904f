"""Brings a vector index up to the database that it is derived from. Only for the holder of the library's lock."""

from collections.abc import Iterator
from typing import Protocol

import numpy as np

from seesay.library.storage.rows import Space
from seesay.library.vectors.index import KINDS, VectorIndex, VectorRow, is_complete

FEW_ROWS = 1000  # up to so many, rows of deleted vectors do not matter
LIVE_SHARE = 0.8  # an index with fewer live rows than this is compacted


class Source(Protocol):
    """The part of a database that an index is derived from."""

    def last_vector_id(self) -> int:
        """The highest id that was ever given out, 0 before the first."""
        ...

    def vectors_after(self, last_id: int, space: Space) -> Iterator[VectorRow]:
        """Every vector of the space with a higher id, in order of id."""
        ...

    def count_vectors(self, space: Space) -> dict[str, int]:
        """Vectors of the space by kind."""
        ...

    def live(self, ids: np.ndarray) -> np.ndarray:
        """Ids (N,) -> (N,) bool: which the database still has."""
        ...


def sync(index: VectorIndex, reads: Source, space: Space) -> None:
    """Adds the vectors that the index does not have yet; rebuilds it where it is damaged or ahead of the database."""
    state, last = index.state(), reads.last_vector_id()
    if state.last_id == last:
        return
    # Ahead: the database was restored from a backup, and gives the same ids to other vectors.
    if state.last_id < last and is_complete(index, state):
        index.add(reads.vectors_after(state.last_id, space), last)
    else:
        index.replace_all(reads.vectors_after(0, space), last)


def compact(index: VectorIndex, reads: Source, space: Space) -> None:
    """Removes rows whose vectors the database has deleted, once they are many. Until then searches skip them."""
    state = index.state()
    rows = sum(state.counts.values())
    live = sum(reads.count_vectors(space).values())
    if rows <= FEW_ROWS or live >= LIVE_SHARE * rows:
        return
    views = [view for kind in KINDS if (view := index.view(kind, state)) is not None]
    if len(views) < len(KINDS):
        index.replace_all(reads.vectors_after(0, space), reads.last_vector_id())
        return
    ids = np.concatenate([view.ids for view in views])
    index.remove(ids[~reads.live(ids)])
