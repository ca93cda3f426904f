"""`Pool`: the pictures that a query is compared with: all, or those that may be among its first hits.

An index (`vectors/approximate.py`) names about the k nearest by cosine, but pictures are ordered by rank, which corrects
cosines (`background.py`), and a picture further away may have a higher one. As no other picture is nearer than three quarters
of these (towards the k-th, an index of rounded numbers takes one for another), and the numbers that correct are known for all,
every other picture has a bound on its rank. Those whose bound reaches the hits are compared too, so nothing is lost by the
correction, only by the index (the threshold algorithm, Fagin and others 2003). Where these are too many, or too few of the pool
pass the filters, the next pool is larger, and the last is all.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from seesay.library.search.background import NEAREST
from seesay.library.search.filters import Filters
from seesay.library.search.ranking import FEW, RANK_CURSOR

if TYPE_CHECKING:
    from seesay.library.session import Session
    from seesay.library.vectors.index import Kind
    from seesay.library.vectors.view import Vectors

COUNTS = (1024, 4096, 16_384)  # of the nearest that are asked for, one after the other; Milvus returns no more
TRUSTED = 0.75  # of those that an index names: nearer than these is no other
LARGEST = 0.25  # of all pictures; a pool that would have more is all of them


@dataclass(frozen=True)
class Pool:
    """at: positions (M,), ascending; None: all. least: no row outside has a higher cosine. complete: none outside passes the
    filters."""

    at: np.ndarray | None = None
    least: float = -math.inf
    complete: bool = True

    def vectors(self, every: "Vectors") -> "Vectors":
        """Its rows."""
        return every if self.at is None else every.at(self.at)

    def with_bound(self, bounds: np.ndarray, ranks: np.ndarray, wanted: int) -> "Pool | None":
        """With the rows that may be among the `wanted` highest ranks; None where they are too many to say.

        bounds (N,): what the rank of each row of the library is at most, if it is outside. ranks (M,): those of the pool.
        """
        if self.at is None or len(self.at) == len(bounds):
            return self
        if wanted > len(ranks):
            return None
        target = -np.partition(-ranks, wanted - 1)[wanted - 1]
        outside = bounds >= target
        outside[self.at] = False
        more = np.flatnonzero(outside)
        return None if len(more) > len(self.at) else Pool(np.union1d(self.at, more), self.least, self.complete)


ALL = Pool()


def pools(
    session: "Session", vectors: "Vectors", kind: "Kind", query: np.ndarray, filters: Filters, named: np.ndarray
) -> Iterator[Pool]:
    """Pools for a query (D,), each larger, the last of which is all. named: vector ids (K,) that belong into each.

    Raises LibraryError where the index does not answer.
    """
    store, ids = session.store, vectors.ids
    most = LARGEST * len(ids)
    narrow = filters.folder is not None or any(filters.conditions())
    few = None
    if narrow and not filters.names and not filters.other_names:  # names have no index, and are counted by reading them all
        few = store.select_few(filters, session.space, kind, FEW)
    besides = positions(ids, named if few is None else np.union1d(named, few))
    for count in COUNTS:
        nearest = vectors.nearest(query, count) if count < most or count == COUNTS[0] else None
        if nearest is None:
            break
        least = _least(vectors.at(nearest.found).cosines(query))
        base = np.union1d(nearest.found, nearest.unknown)
        at = np.union1d(base, besides)
        yield Pool(at, least, complete=few is not None or len(at) == len(ids))
    else:
        if narrow and few is None:
            passing = positions(ids, store.select(filters, session.space, kind).vectors)
            if len(passing) < most:
                yield Pool(np.union1d(np.union1d(base, besides), passing), least, complete=True)
    yield ALL


def enough(n: int, ranks: np.ndarray, cursor: str | None) -> int:
    """How many of the highest ranks have to be right: those before the cursor, and the n behind it, of which some may have been
    deleted; and those that relevance looks at."""
    match = None if cursor is None else RANK_CURSOR.fullmatch(cursor)
    before = 0 if match is None else int((ranks >= np.float32(match[1])).sum())
    return before + max(2 * n + 8, 2 * NEAREST)


def _least(cosines: np.ndarray) -> float:
    """The cosine that no picture exceeds which is not among those that an index names, whose cosines (K,) these are."""
    if not len(cosines):
        return 1.0
    last = int(TRUSTED * (len(cosines) - 1))
    return float(-np.partition(-cosines, last)[last])


def positions(ids: np.ndarray, some: np.ndarray) -> np.ndarray:
    """ids (N,), ascending -> the positions, ascending, of those ids (M,) that are among them."""
    some = np.sort(some)
    at = np.searchsorted(ids, some)
    some, at = some[at < len(ids)], at[at < len(ids)]
    return np.asarray(at[ids[at] == some])
