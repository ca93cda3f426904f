"""Where a library's pictures were taken: places of some kilometres, found without a map."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from seesay.library.storage.reads import Reads

CELL = 0.1  # degrees: a picture is counted where its cell is, so that a million take no longer than a thousand places
REACH_KM = 20.0  # from the middle of a place to that of its cells
EARTH_KM = 6371.0
MOST = 100


@dataclass(frozen=True)
class Place:
    """Its middle in degrees; box: (south, west, north, east), as filters take it; pictures: how many are in the box."""

    latitude: float
    longitude: float
    box: tuple[float, float, float, float]
    pictures: int


def places(reads: Reads, most: int = MOST) -> list[Place]:
    """The places with the most pictures, the fullest first. Each begins with the fullest cell that belongs to none yet, and
    takes those around it."""
    rows = reads.db.execute(
        """SELECT latitude, longitude FROM contents c WHERE kind = 'image' AND latitude IS NOT NULL AND longitude IS NOT NULL
           AND EXISTS (SELECT 1 FROM files f WHERE f.content_id = c.id)"""
    ).fetchall()
    if not rows:
        return []
    spots = np.array(rows, dtype=np.float64)  # (N, 2)
    spots = spots[np.argsort(spots[:, 0], kind="stable")]  # from south to north, so that a box is a run of them
    rows_of, columns_of = np.floor(spots / CELL).T
    # One number for a cell: np.unique of pairs takes twenty times as long.
    _, cell, counts = np.unique(rows_of * 10_000 + columns_of, return_inverse=True, return_counts=True)
    middles = np.stack([np.bincount(cell, spots[:, side]) / counts for side in (0, 1)], axis=1)  # (M, 2)
    free = np.ones(len(counts), dtype=bool)
    found = []
    for start in np.argsort(-counts, kind="stable"):
        if not free[start]:
            continue
        mine = free & (kilometres(middles[start], middles) < REACH_KM) & (np.abs(middles[:, 1] - middles[start, 1]) < 180)
        free &= ~mine
        found.append(_place(spots, spots[mine[cell]]))
        if len(found) == most:
            break
    return sorted(found, key=lambda place: -place.pictures)


def _place(spots: np.ndarray, inside: np.ndarray) -> Place:
    # Outwards to five places behind the point, a metre, so that the box holds its own edge.
    low, high = np.floor(inside.min(axis=0) * 1e5) / 1e5, np.ceil(inside.max(axis=0) * 1e5) / 1e5
    latitude, longitude = np.round(np.median(inside, axis=0), 5).tolist()
    first, last = np.searchsorted(spots[:, 0], low[0]), np.searchsorted(spots[:, 0], high[0], "right")
    across = spots[first:last, 1]
    pictures = int(((across >= low[1]) & (across <= high[1])).sum())
    return Place(latitude, longitude, (*low.tolist(), *high.tolist()), pictures)


def kilometres(one: ArrayLike, others: ArrayLike) -> np.ndarray:
    """(2,), (M, 2) in degrees, latitudes first -> (M,) along the ground (haversine)."""
    here, there = np.radians(np.asarray(one)), np.radians(np.asarray(others))
    half = np.sin((there - here) / 2) ** 2
    return np.asarray(2 * EARTH_KM * np.arcsin(np.sqrt(half[:, 0] + np.cos(here[0]) * np.cos(there[:, 0]) * half[:, 1])))
