"""Overlap and suppression of boxes, against loops over pairs."""

import math

import numpy as np
import pytest

from seesay.tasks import boxes
from seesay.tasks.boxes import Overlap, nms, soft_nms

Box = tuple[float, ...] | np.ndarray


def slow_areas(a: Box, b: Box) -> tuple[float, float, float]:
    """The areas of both, and what they share."""
    a, b = tuple(map(float, a)), tuple(map(float, b))
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    area_a, area_b = (max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1]) for box in (a, b))
    return area_a, area_b, width * height


def slow_iou(a: Box, b: Box) -> float:
    area_a, area_b, shared = slow_areas(a, b)
    return shared / (area_a + area_b - shared) if area_a + area_b > 0 else 0.0


def slow_containment(a: Box, b: Box) -> float:
    area_a, area_b, shared = slow_areas(a, b)
    return shared / min(area_a, area_b) if min(area_a, area_b) > 0 else 0.0


def slow_nms(all_boxes: np.ndarray, scores: np.ndarray, threshold: float, labels: np.ndarray, overlap: Overlap) -> list[int]:
    """Every pair: a box stays unless one that stays, is better and has its label overlaps it."""
    measure = slow_iou if overlap is boxes.iou else slow_containment
    ranked = sorted(range(len(scores)), key=lambda i: (-scores[i], -slow_areas(all_boxes[i], all_boxes[i])[0], i))
    kept: list[int] = []
    for i in ranked:
        if all(labels[i] != labels[j] or measure(tuple(all_boxes[i]), tuple(all_boxes[j])) <= threshold for j in kept):
            kept.append(i)
    return kept


def slow_soft_nms(all_boxes: np.ndarray, scores: np.ndarray, sigma: float, labels: np.ndarray) -> list[float]:
    values, left = [float(score) for score in scores], list(range(len(scores)))
    while left:
        best = min(left, key=lambda i: (-values[i], -slow_areas(all_boxes[i], all_boxes[i])[0], i))
        left.remove(best)
        for i in left:
            if labels[i] == labels[best]:
                values[i] *= math.exp(-(slow_iou(tuple(all_boxes[i]), tuple(all_boxes[best])) ** 2) / sigma)
    return values


def drawn(seed: int, count: int = 60) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Boxes on a grid of whole numbers, some empty, some equal; scores of which many are equal; three labels."""
    random = np.random.default_rng(seed)
    corners = random.integers(0, 12, (count, 2))
    found = np.concatenate([corners, corners + random.integers(0, 8, (count, 2))], axis=1).astype(np.float32)
    return found, random.integers(0, 6, count) / np.float32(5), random.integers(0, 3, count)


@pytest.mark.parametrize("seed", range(8))
def test_overlaps_are_those_of_each_pair(seed: int) -> None:
    a, b = drawn(seed)[0], drawn(seed + 100, 25)[0]
    np.testing.assert_allclose(boxes.iou(a, b), [[slow_iou(tuple(x), tuple(y)) for y in b] for x in a], atol=1e-12)
    expected = [[slow_containment(tuple(x), tuple(y)) for y in b] for x in a]
    np.testing.assert_allclose(boxes.containment(a, b), expected, atol=1e-12)


@pytest.mark.parametrize("overlap", [boxes.iou, boxes.containment])
@pytest.mark.parametrize("threshold", [0.0, 0.3, 0.5, 1.0])
def test_suppression_is_that_of_each_pair(overlap: Overlap, threshold: float) -> None:
    for seed in range(20):
        found, scores, labels = drawn(seed)
        kept = nms(found, scores, threshold, labels, overlap)
        assert kept.tolist() == slow_nms(found, scores, threshold, labels, overlap)


@pytest.mark.parametrize("seed", range(10))
def test_soft_suppression_is_that_of_each_pair(seed: int) -> None:
    found, scores, labels = drawn(seed, 30)
    np.testing.assert_allclose(soft_nms(found, scores, 0.5, labels), slow_soft_nms(found, scores, 0.5, labels), rtol=1e-9)


def test_suppression_of_single_cases() -> None:
    one = np.array([[0, 0, 10, 10]])
    assert nms(np.empty((0, 4)), np.empty(0), 0.5).tolist() == []
    assert soft_nms(np.empty((0, 4)), np.empty(0)).tolist() == []
    assert nms(np.repeat(one, 3, axis=0), np.array([0.2, 0.9, 0.2]), 0.5).tolist() == [1]
    inner = np.array([[0, 0, 10, 10], [2, 2, 6, 6]])
    assert nms(inner, np.array([0.5, 0.9]), 0.5).tolist() == [1, 0]  # little of the union is shared
    assert nms(inner, np.array([0.5, 0.9]), 0.8, overlap=boxes.containment).tolist() == [1]
    assert nms(inner, np.array([0.9, 0.9]), 0.8, overlap=boxes.containment).tolist() == [0]  # of equal scores the larger
    assert nms(inner, np.array([0.5, 0.9]), 0.8, np.array([0, 1]), boxes.containment).tolist() == [1, 0]
    beside = np.array([[0, 0, 10, 10], [10, 0, 20, 10], [0, 0, 10, 10]])
    assert nms(beside, np.ones(3), 0.0).tolist() == [0, 1]  # of equal boxes the first; neighbours share nothing
    at = np.array([[0, 0, 10, 10], [0, 0, 10, 5]])
    assert nms(at, np.array([0.9, 0.8]), 0.5).tolist() == [0, 1]  # an IoU of exactly the threshold is none above it
    np.testing.assert_allclose(soft_nms(at, np.array([0.9, 0.8]), 0.5), [0.9, 0.8 * math.exp(-0.5)])


def test_suppression_does_not_depend_on_the_order_given() -> None:
    found, scores, labels = drawn(3)
    found += np.arange(len(found))[:, None] / 1000  # no two are equal
    shuffled = np.random.default_rng(0).permutation(len(found))
    expected = set(nms(found, scores, 0.4, labels).tolist())
    assert set(shuffled[nms(found[shuffled], scores[shuffled], 0.4, labels[shuffled])].tolist()) == expected


def test_forms_of_boxes_and_back() -> None:
    found = drawn(1)[0]
    for there, back in ((boxes.to_sized, boxes.from_sized), (boxes.to_centred, boxes.from_centred)):
        np.testing.assert_array_equal(back(there(found)), found)
    assert boxes.to_sized(np.array([[1, 2, 4, 8]])).tolist() == [[1, 2, 3, 6]]
    assert boxes.to_centred(np.array([[1, 2, 4, 8]])).tolist() == [[2.5, 5, 3, 6]]
    assert boxes.grown(np.array([[1, 2, 5, 10]]), 1.5).tolist() == [[0, 0, 6, 12]]
    assert boxes.clipped(np.array([[-1, 2, 5, 10]]), 4, 8).tolist() == [[0, 2, 4, 8]]
