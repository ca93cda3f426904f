"""Average precision of boxes against true ones, as Pascal VOC and COCO count it."""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from seesay.errors import InputError
from seesay.models.detector import Detections
from seesay.tasks.boxes import iou

Rule = Literal["coco", "voc"]
RECALLS = np.linspace(0, 1, 101)  # COCO's


def average_precision(
    found: Sequence[Detections], truths: Sequence[Detections], labels: int, *, overlap: float = 0.5, rule: Rule = "coco"
) -> np.ndarray:
    """Detections and true boxes, both a picture each -> average precision (labels,) float64; NaN for a label with no true box.

    A label's boxes are taken by score, equal ones in order of picture and position; each true box is found once. "coco"
    (Lin and others 2014): a box finds the best of the true boxes that are left, and precision is the mean at 101 recalls. "voc"
    (Everingham and others 2010, from 2010 on): a box counts for the true box that it overlaps most, taken or not, and precision
    is the area below its curve. Both want an IoU of at least `overlap`. Raises InputError.
    """
    if len(found) != len(truths):
        raise InputError(f"expected detections for {len(truths)} pictures, got {len(found)}")
    if rule not in ("coco", "voc"):
        raise InputError(f"the rule is 'coco' or 'voc', got {rule!r}")
    return np.asarray([_of_label(found, truths, label, overlap, rule) for label in range(labels)])


def _of_label(found: Sequence[Detections], truths: Sequence[Detections], label: int, overlap: float, rule: Rule) -> float:
    scores, hits, total = [], [], 0
    for boxes, true in zip(found, truths, strict=True):
        own, wanted = boxes[boxes.labels == label], true[true.labels == label]
        order = np.argsort(-own.scores, kind="stable")
        total += len(wanted)
        scores.append(own.scores[order])
        hits.append(_hits(iou(own.boxes[order], wanted.boxes), overlap, rule))
    if not total:
        return float("nan")
    order = np.argsort(-np.concatenate(scores), kind="stable")
    hit = np.concatenate(hits)[order].cumsum()
    recall, precision = hit / total, hit / np.arange(1, len(hit) + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]  # the best precision at this recall or a greater one
    if rule == "voc":
        return float((np.diff(recall, prepend=0.0) * envelope).sum())
    # 1e-12: recalls are fractions, which must not miss their own percentage by a rounding error.
    at = np.searchsorted(recall, RECALLS - 1e-12, side="left")
    return float(np.append(envelope, 0.0)[at].mean())


def _hits(overlaps: np.ndarray, least: float, rule: Rule) -> np.ndarray:
    """IoU (boxes by score, true boxes) of one picture -> which boxes find a true one (boxes,) bool."""
    hits, free = np.zeros(len(overlaps), dtype=bool), np.ones(overlaps.shape[1], dtype=bool)
    for row, values in enumerate(overlaps if overlaps.shape[1] else ()):
        best = int(np.argmax(np.where(free, values, -1.0) if rule == "coco" else values))
        hits[row] = free[best] and values[best] >= least
        free[best] &= not hits[row]
    return hits
