"""Arithmetic of boxes: overlap, suppression of boxes that show the same thing, and the forms in which others write boxes.

Boxes are (N, 4), x0 y0 x1 y1 with x1 and y1 exclusive, so that a box's area is (x1 - x0) * (y1 - y0). All of it is computed in
float64.
"""

from collections.abc import Callable

import numpy as np

Overlap = Callable[[np.ndarray, np.ndarray], np.ndarray]  # boxes (N, 4) and (M, 4) -> (N, M), from 0 to 1


def area(boxes: np.ndarray) -> np.ndarray:
    """(N, 4) -> (N,); 0 for a box without inside."""
    boxes = np.asarray(boxes, dtype=np.float64)
    return np.asarray(np.maximum(boxes[:, 2:] - boxes[:, :2], 0).prod(axis=1))


def intersection(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The area (N, M) that every box of a (N, 4) shares with every box of b (M, 4)."""
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    return np.asarray(np.maximum(high - low, 0).prod(axis=2))


def iou(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Intersection over union (N, M); 0 where both boxes are empty."""
    shared = intersection(a, b)
    return _ratio(shared, area(a)[:, None] + area(b)[None] - shared)


def containment(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Intersection over the smaller area (N, M): 1 where one box lies in the other; 0 where a box is empty."""
    return _ratio(intersection(a, b), np.minimum(area(a)[:, None], area(b)[None]))


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.asarray(np.divide(part, whole, out=np.zeros_like(part), where=whole > 0))


def order(boxes: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Indices (N,) from the best box to the last: by score, of equal scores the larger box, of equal areas the earlier one."""
    return np.lexsort((np.arange(len(scores)), -area(boxes), -np.asarray(scores, dtype=np.float64)))


def nms(
    boxes: np.ndarray, scores: np.ndarray, threshold: float, labels: np.ndarray | None = None, overlap: Overlap = iou
) -> np.ndarray:
    """Non-maximum suppression -> indices of the boxes that stay, in the order of `order`.

    A box goes if it overlaps one that stays, comes before it and has the same label by more than the threshold. labels (N,):
    None if all are one. overlap: `iou`, or `containment`, by which parts of a thing give way to the whole.
    """
    ranked = order(boxes, scores)
    of = np.zeros(len(scores), dtype=np.int64) if labels is None else np.asarray(labels)[ranked]
    stays = np.zeros(len(scores), dtype=bool)
    for label in np.unique(of):
        remaining = np.flatnonzero(of == label)
        while len(remaining):
            best, rest = remaining[0], remaining[1:]
            stays[best] = True
            remaining = rest[overlap(boxes[ranked[best]][None], boxes[ranked[rest]])[0] <= threshold]
    return np.asarray(ranked[stays], dtype=np.intp)


def soft_nms(boxes: np.ndarray, scores: np.ndarray, sigma: float = 0.5, labels: np.ndarray | None = None) -> np.ndarray:
    """Scores (N,) after soft suppression (Bodla and others 2017, equation 3), float64; no box goes.

    In the order of their scores as they then are, ties as in `order`, each box multiplies the scores of those of its label that
    come after it by exp(-iou² / sigma).
    """
    labels = np.zeros(len(scores), dtype=np.int64) if labels is None else labels
    result = np.array(scores, dtype=np.float64)
    remaining = np.arange(len(scores))
    while len(remaining):
        first = order(boxes[remaining], result[remaining])[0]
        best, remaining = remaining[first], np.delete(remaining, first)
        alike = remaining[labels[remaining] == labels[best]]
        result[alike] *= np.exp(-(iou(boxes[best][None], boxes[alike])[0] ** 2) / sigma)
    return result


def clipped(boxes: np.ndarray, width: float, height: float) -> np.ndarray:
    """The part of each box that lies in a picture of this size."""
    return np.asarray(np.clip(boxes, 0, np.array([width, height, width, height])))


def grown(boxes: np.ndarray, factor: float) -> np.ndarray:
    """Boxes with the same centres whose sides are `factor` times as long."""
    centred = to_centred(boxes)
    return from_centred(np.concatenate([centred[:, :2], centred[:, 2:] * factor], axis=1))


def to_sized(boxes: np.ndarray) -> np.ndarray:
    """x0 y0 x1 y1 -> x0 y0 width height, as COCO has them."""
    return np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1)


def from_sized(boxes: np.ndarray) -> np.ndarray:
    """x0 y0 width height -> x0 y0 x1 y1."""
    return np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)


def to_centred(boxes: np.ndarray) -> np.ndarray:
    """x0 y0 x1 y1 -> centre x, centre y, width, height, as DETR and its successors have them."""
    return np.concatenate([(boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]], axis=1)


def from_centred(boxes: np.ndarray) -> np.ndarray:
    """centre x, centre y, width, height -> x0 y0 x1 y1."""
    half = boxes[:, 2:] / 2
    return np.concatenate([boxes[:, :2] - half, boxes[:, :2] + half], axis=1)
