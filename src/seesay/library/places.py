"""Groups the positions of a library's pictures into places of some kilometres, without map data."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from seesay.library.storage.reads import Reads

CELL = 0.1  # degrees; pictures are counted by cell, so that a million take no longer than a thousand places
REACH_KM = 20.0  # from the centre of a place to those of its cells
EARTH_KM = 6371.0
MOST = 100  # places


@dataclass(frozen=True)
class Place:
    """latitude, longitude: the centre, in degrees. box: (south, west, north, east), as in `Filters`. pictures: in the box."""

    latitude: float
    longitude: float
    box: tuple[float, float, float, float]
    pictures: int


def places(reads: Reads, most: int = MOST) -> list[Place]:
    """The places with the most pictures, the fullest first: greedily, the fullest free cell and all free cells near it."""
    rows = reads.db.execute(
        """SELECT latitude, longitude FROM contents c WHERE kind = 'image' AND latitude IS NOT NULL AND longitude IS NOT NULL
           AND EXISTS (SELECT 1 FROM files f WHERE f.content_id = c.id)"""
    ).fetchall()
    if not rows:
        return []
    spots = np.array(rows, dtype=np.float64)  # (N, 2)
    spots = spots[np.argsort(spots[:, 0], kind="stable")]  # from south to north, so that a box is within a run of them
    rows_of, columns_of = np.floor(spots / CELL).T
    # One number for a cell: np.unique of pairs takes twenty times as long.
    _, cell, counts = np.unique(rows_of * 10_000 + columns_of, return_inverse=True, return_counts=True)
    centres = np.stack([np.bincount(cell, spots[:, side]) / counts for side in (0, 1)], axis=1)  # (M, 2)
    free = np.ones(len(counts), dtype=bool)
    chosen = []
    for start in np.argsort(-counts, kind="stable"):
        if not free[start]:
            continue
        near = free & (kilometres(centres[start], centres) < REACH_KM) & (np.abs(centres[:, 1] - centres[start, 1]) < 180)
        free &= ~near
        chosen.append(_place(spots, spots[near[cell]]))
        if len(chosen) == most:
            break
    return sorted(chosen, key=lambda place: -place.pictures)


def _place(spots: np.ndarray, inside: np.ndarray) -> Place:
    # Rounded outwards to five decimals, a metre, so that the box contains its own edge.
    low, high = np.floor(inside.min(axis=0) * 1e5) / 1e5, np.ceil(inside.max(axis=0) * 1e5) / 1e5
    latitude, longitude = np.round(np.median(inside, axis=0), 5).tolist()
    first, last = np.searchsorted(spots[:, 0], low[0]), np.searchsorted(spots[:, 0], high[0], "right")
    across = spots[first:last, 1]
    pictures = int(((across >= low[1]) & (across <= high[1])).sum())
    return Place(latitude, longitude, (*low.tolist(), *high.tolist()), pictures)


def kilometres(one: ArrayLike, others: ArrayLike) -> np.ndarray:
    """Great-circle distances (haversine): (2,), (M, 2) in degrees, latitude first -> (M,)."""
    start, ends = np.radians(np.asarray(one)), np.radians(np.asarray(others))
    half = np.sin((ends - start) / 2) ** 2
    return np.asarray(2 * EARTH_KM * np.arcsin(np.sqrt(half[:, 0] + np.cos(start[0]) * np.cos(ends[:, 0]) * half[:, 1])))
