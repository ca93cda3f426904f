"""The windows of a library's pictures in a search: a picture is lifted by the part of it that fits best."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from seesay.library.storage.regions import MOST

if TYPE_CHECKING:
    from seesay.library.session import Session


@dataclass(frozen=True)
class Lifted:
    """The cosines of a query with pictures and with the best window of each.

    cosines: (N,) float32, by which the pictures are ranked: where a window is nearer than its picture, the mean of both (the
    best of many windows is near to anything; measured in docs/benchmarks.md). windows: the number of that window by the
    picture's vector id.
    """

    cosines: np.ndarray
    windows: dict[int, int]


def lifted(session: "Session", query: np.ndarray, ids: np.ndarray, cosines: np.ndarray) -> Lifted:
    """Cosines (N,) of pictures, by vector id (N,) ascending, with a query (D,) -> the same with those of their windows."""
    vectors = session.region_vectors()
    if vectors is None or not len(vectors.ids):
        return Lifted(cosines, {})
    values = vectors.cosines(query)
    starts = np.flatnonzero(np.diff(vectors.ids // MOST, prepend=-1))  # of each picture's windows, which follow one another
    best = np.maximum.reduceat(values, starts)
    at_best = np.flatnonzero(values == np.repeat(best, np.diff(starts, append=len(values))))
    firsts = at_best[np.searchsorted(at_best, starts)]  # of equal ones the earlier
    rows, owners = session.region_owners()
    own_rows = vectors.ids[starts] // MOST
    stored = np.isin(own_rows, rows)
    best, firsts, own = best[stored], firsts[stored], owners[np.searchsorted(rows, own_rows[stored])]
    known = np.isin(own, ids)  # not those of a picture that is indexed at this moment
    best, firsts, positions = best[known], firsts[known], np.searchsorted(ids, own[known])
    nearer = best > cosines[positions]
    best, firsts, positions = best[nearer], firsts[nearer], positions[nearer]
    result = cosines.copy()
    result[positions] = (cosines[positions] + best) / 2
    return Lifted(result, dict(zip(ids[positions].tolist(), (vectors.ids[firsts] % MOST).tolist(), strict=True)))


def place(session: "Session", vector_id: int, number: int, width: int, height: int) -> tuple[float, float, float, float]:
    """The box of a picture's window in pixels: x0 y0 x1 y1."""
    x0, y0, x1, y1 = (session.regions.boxes(vector_id)[number] * [width, height, width, height]).tolist()
    return round(x0, 1), round(y0, 1), round(x1, 1), round(y1, 1)
