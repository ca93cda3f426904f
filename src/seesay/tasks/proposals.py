"""Boxes in which something may be: windows of several sizes all over a picture, and the warm regions of maps."""

from collections.abc import Iterable, Sequence

import numpy as np

from seesay.tasks.boxes import nms
from seesay.tasks.dense import window_boxes

SCALES = (1.0, 0.6, 0.35)  # sides of windows, in shorter sides of the picture
LEVELS = (0.3, 0.45, 0.6, 0.75, 0.9)  # where regions begin, between a map's least and greatest value
ALIKE = 0.9  # boxes that overlap by more are one


def pyramid(width: int, height: int, scales: Sequence[float] = SCALES) -> np.ndarray:
    """The whole picture, and windows that cover it at each scale, of which neighbours share half (`window_boxes`): (N, 4)."""
    whole = [(0.0, 0.0, float(width), float(height))]
    return np.asarray(whole + [box for scale in scales for box in window_boxes(width, height, scale)])


def regions(heat: np.ndarray, levels: Sequence[float] = LEVELS) -> np.ndarray:
    """A map (rows, columns) -> boxes (N, 4) in its cells, around what hangs together above each level; none in a flat map."""
    low, high = float(heat.min()), float(heat.max())
    if not high > low:
        return np.empty((0, 4))
    return np.concatenate([components(heat > low + level * (high - low)) for level in levels])


def components(mask: np.ndarray) -> np.ndarray:
    """A mask (rows, columns) -> the boxes (N, 4) of its connected parts, in order of their first cell; cells touch at sides."""
    parent: list[int] = []
    runs: list[tuple[int, int, int]] = []  # row, first column, column after the last
    above: list[int] = []
    for row, line in enumerate(mask):
        edges = np.flatnonzero(np.diff(np.concatenate([[0], line.astype(np.int8), [0]])))
        here = []
        for start, end in edges.reshape(-1, 2).tolist():
            number = len(runs)
            runs.append((row, start, end))
            parent.append(number)
            here.append(number)
            for other in above:
                if runs[other][1] < end and start < runs[other][2]:
                    first, second = sorted((_root(parent, other), _root(parent, number)))
                    parent[second] = first
        above = here
    boxes: dict[int, list[int]] = {}
    for number, (row, start, end) in enumerate(runs):
        box = boxes.setdefault(_root(parent, number), [start, row, end, row + 1])
        box[:] = min(box[0], start), box[1], max(box[2], end), row + 1
    return np.asarray(list(boxes.values()), dtype=np.float64).reshape(-1, 4)


def _root(parent: list[int], number: int) -> int:
    while parent[number] != number:
        parent[number] = parent[parent[number]]
        number = parent[number]
    return number


def merged(groups: Iterable[np.ndarray], threshold: float = ALIKE) -> np.ndarray:
    """Boxes of several groups as one array (N, 4), without those that overlap an earlier one by more than the threshold."""
    boxes = np.concatenate([np.empty((0, 4)), *groups])
    return np.asarray(boxes[nms(boxes, -np.arange(len(boxes)), threshold)])
