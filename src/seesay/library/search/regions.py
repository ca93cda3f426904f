"""The windows of a library's pictures in a search: a picture is lifted by the part of it that fits best."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from seesay.library.storage.regions import MOST, RegionRows
from seesay.library.vectors.view import ArrayView, Vectors

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
    vectors = _vectors(session)
    if vectors is None:
        return Lifted(cosines, {})
    rows, owners = session.region_owners()
    at = np.flatnonzero(np.isin(vectors.ids // MOST, rows))
    own = owners[np.searchsorted(rows, vectors.ids[at] // MOST)]
    known = np.isin(own, ids)  # not those of a picture that is indexed at this moment
    at, own = at[known], own[known]
    if not len(at):
        return Lifted(cosines, {})
    positions, numbers, values = np.searchsorted(ids, own), vectors.ids[at] % MOST, vectors.cosines(query)[at]
    order = np.lexsort((numbers, -values, positions))  # of each picture the nearest window first, of equal ones the earlier
    firsts = order[np.unique(positions[order], return_index=True)[1]]
    firsts = firsts[values[firsts] > cosines[positions[firsts]]]
    result = cosines.copy()
    result[positions[firsts]] = (cosines[positions[firsts]] + values[firsts]) / 2
    return Lifted(result, dict(zip(ids[positions[firsts]].tolist(), numbers[firsts].tolist(), strict=True)))


def _vectors(session: "Session") -> Vectors | None:
    """All windows: those of their index, and those that only the database has yet; None where there are none."""
    source, space = RegionRows(session.store.db), session.space
    last = source.last_vector_id()
    if not last:
        return None
    index = session.region_index
    state = index.state()
    view = index.view("image", state) if state.last_id <= last else None
    if view is None:
        return Vectors(ArrayView.from_rows(source.vectors_after(0, space), "image", space.dim), None, state.generation)
    if state.last_id == last:
        return Vectors(view, None, state.generation)
    newest = ArrayView.from_rows(source.vectors_after(state.last_id, space), "image", space.dim)
    return Vectors(view, newest, state.generation)


def place(session: "Session", vector_id: int, number: int, width: int, height: int) -> tuple[float, float, float, float]:
    """The box of a picture's window in pixels: x0 y0 x1 y1."""
    x0, y0, x1, y1 = (RegionRows(session.store.db).boxes(vector_id)[number] * [width, height, width, height]).tolist()
    return round(x0, 1), round(y0, 1), round(x1, 1), round(y1, 1)
