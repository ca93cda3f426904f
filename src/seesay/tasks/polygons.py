"""Masks as polygons along the borders of their pixels, as COCO's format has them (Lin and others 2014)."""

from collections import defaultdict
from collections.abc import Iterator

import numpy as np

Point = tuple[int, int]  # x, y of a pixel's corner
Edge = tuple[Point, Point, int]  # from, to; 1 for the two edges of a cut, which may lie on a border


def to_polygons(mask: np.ndarray) -> list[list[int]]:
    """A mask (height, width) bool -> polygons [x0, y0, x1, y1, ...] along the borders of its pixels, one for each region whose
    pixels touch by their sides.

    COCO's polygons have no holes: each hole is joined to what lies left of it by a cut without width, which fills as the mask
    does.
    """
    mask = np.asarray(mask, dtype=bool)
    after = _borders(mask)
    outer: list[list[Edge]] = []
    holes: list[list[Edge]] = []
    for loop in _loops(after):
        clockwise = sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1), _ in loop) > 0
        (outer if clockwise else holes).append(loop)
    for hole in holes:
        _cut(mask, hole, after)
    return [_corners(loop[0], after) for loop in outer]


def _borders(mask: np.ndarray) -> dict[Edge, Edge]:
    """The edges between pixels of a mask and others, each with its next one: clockwise around regions, against it in holes."""
    height, width = mask.shape
    framed = np.pad(mask, 1)
    starts: dict[Point, list[Edge]] = defaultdict(list)
    sides = (((0, 0), (1, 0), (-1, 0)), ((1, 0), (1, 1), (0, 1)), ((1, 1), (0, 1), (1, 0)), ((0, 1), (0, 0), (0, -1)))
    for (x0, y0), (x1, y1), (down, right) in sides:  # top, right, bottom, left of a pixel, and where its neighbour is
        neighbour = framed[1 + down : 1 + down + height, 1 + right : 1 + right + width]
        for y, x in np.argwhere(mask & ~neighbour).tolist():
            starts[x + x0, y + y0].append(((x + x0, y + y0), (x + x1, y + y1), 0))
    return {edge: _next(edge, starts[edge[1]]) for edges in list(starts.values()) for edge in edges}


def _next(edge: Edge, others: list[Edge]) -> Edge:
    """Of the edges that begin where one ends, the one to the right, so that regions which touch in a corner stay apart."""
    (x0, y0), (x1, y1), _ = edge
    right = (x1 - (y1 - y0), y1 + (x1 - x0))
    return next((other for other in others if other[1] == right), others[0])


def _loops(after: dict[Edge, Edge]) -> Iterator[list[Edge]]:
    left = set(after)
    for first in after:
        if first in left:
            loop = list(_walk(first, after))
            left.difference_update(loop)
            yield loop


def _walk(first: Edge, after: dict[Edge, Edge]) -> Iterator[Edge]:
    edge = first
    while True:
        yield edge
        edge = after[edge]
        if edge == first:
            return


def _cut(mask: np.ndarray, hole: list[Edge], after: dict[Edge, Edge]) -> None:
    """Joins a hole with the border left of its uppermost leftmost corner, there and back."""
    at = min(range(len(hole)), key=lambda number: hole[number][0])
    x, y = hole[at][0]
    left = x
    while left and mask[y, left - 1]:
        left -= 1
    border = ((left, y + 1), (left, y), 0)
    there, back = ((left, y), (x, y), 1), ((x, y), (left, y), 1)
    after[back], after[hole[at - 1]] = after[border], back
    after[border], after[there] = there, hole[at]


def _corners(first: Edge, after: dict[Edge, Edge]) -> list[int]:
    """The points where a loop changes its direction, as x, y, x, y."""
    edges = list(_walk(first, after))
    corners: list[int] = []
    for before, edge in zip([edges[-1], *edges], edges, strict=False):
        if _direction(before) != _direction(edge):
            corners += edge[0]
    return corners


def _direction(edge: Edge) -> Point:
    (x0, y0), (x1, y1), _ = edge
    return (x1 > x0) - (x1 < x0), (y1 > y0) - (y1 < y0)
