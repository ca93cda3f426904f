"""Pairs of perceptual hashes that nearly agree, without comparing all with all."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np

BITS = 64
BLOCK = 1 << 16  # comparisons that are made at once in a crowded band
_ONES = np.array([byte.bit_count() for byte in range(256)], np.uint8)  # numpy counts bits from version 2 only


def near_pairs(hashes: np.ndarray, distance: int) -> np.ndarray:
    """Hashes (N,) uint64 -> every pair (P, 2) int64 of rows i < j that differ in at most `distance` bits, sorted.

    Cut into distance + 1 bands, two such hashes agree in at least one of them whole (Norouzi and others 2012); only what shares
    a band is compared. Exact: no pair is missed.
    """
    found = [_in_band(hashes, shift, width, distance) for shift, width in _bands(distance + 1)]
    return np.unique(np.concatenate(found), axis=0)


def groups(pairs: np.ndarray, number: int) -> list[list[int]]:
    """Pairs (P, 2) of rows among so many -> the groups that they connect, of two rows or more, the largest first."""
    parent = list(range(number))

    def root(row: int) -> int:
        while parent[row] != row:
            parent[row] = parent[parent[row]]
            row = parent[row]
        return row

    for i, j in pairs.tolist():
        a, b = root(i), root(j)
        parent[max(a, b)] = min(a, b)
    members: dict[int, list[int]] = {}
    for row in sorted({int(row) for row in pairs.ravel()}):
        members.setdefault(root(row), []).append(row)
    return sorted(members.values(), key=lambda group: (-len(group), group[0]))


def packed(bits: np.ndarray) -> np.ndarray:
    """Bits (N, 64) bool -> (N,) uint64."""
    return np.ascontiguousarray(np.packbits(bits, axis=1)).view(">u8")[:, 0].astype(np.uint64)


def _bands(number: int) -> Iterator[tuple[int, int]]:
    """(first bit, bits) of so many bands of about the same width."""
    edges = np.linspace(0, BITS, number + 1).astype(int).tolist()
    return ((first, last - first) for first, last in pairwise(edges))


def _in_band(hashes: np.ndarray, shift: int, width: int, distance: int) -> np.ndarray:
    """The near pairs among hashes that agree in a band."""
    band = (hashes >> np.uint64(shift)) & np.uint64((1 << width) - 1)
    order = np.argsort(band, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(band[order]) != 0, True])
    found: list[np.ndarray] = [np.empty((0, 2), np.int64)]
    for start, end in pairwise(starts.tolist()):
        if end - start > 1:
            found += _compared(hashes, order[start:end], distance)
    return np.concatenate(found)


def _compared(hashes: np.ndarray, rows: np.ndarray, distance: int) -> Sequence[np.ndarray]:
    """The near pairs among rows, each with all after it."""
    found = []
    for start in range(0, len(rows), max(1, BLOCK // len(rows))):
        own = rows[start : start + max(1, BLOCK // len(rows))]
        differing = _ones(hashes[own, None] ^ hashes[None, rows[start:]])
        i, j = np.nonzero(differing <= distance)
        pairs = np.stack([own[i], rows[start:][j]], axis=1)
        found.append(np.sort(pairs[pairs[:, 0] != pairs[:, 1]], axis=1))
    return found


def _ones(values: np.ndarray) -> np.ndarray:
    """Set bits of each uint64."""
    return np.asarray(_ONES[values[..., None].view(np.uint8)].sum(-1))
