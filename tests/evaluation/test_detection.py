"""Average precision against a slow count, box by box and recall by recall."""

import math
from collections.abc import Sequence

import numpy as np
import pytest

from seesay.errors import InputError
from seesay.evaluation.detection import Rule, average_precision
from seesay.models.detector import Detections


def detections(boxes: Sequence[Sequence[float]], scores: Sequence[float], labels: Sequence[int]) -> Detections:
    return Detections(
        np.asarray(boxes, dtype=np.float32).reshape(-1, 4), np.asarray(scores, dtype=np.float32), np.asarray(labels, np.int64)
    )


def slow_overlap(a: Sequence[float], b: Sequence[float]) -> float:
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    shared = max(0.0, width) * max(0.0, height)
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared
    return shared / union if union else 0.0


def slow(found: Sequence[Detections], truths: Sequence[Detections], label: int, least: float, rule: Rule) -> float:
    """All detections of a label in one list, each compared with each true box; precision at each recall by its definition."""
    entries = [
        (float(score), picture, box.tolist())
        for picture, each in enumerate(found)
        for score, own, box in zip(each.scores, each.labels, each.boxes, strict=True)
        if own == label
    ]
    entries.sort(key=lambda entry: -entry[0])
    wanted = {
        (picture, number): each.boxes[number].tolist()
        for picture, each in enumerate(truths)
        for number in range(len(each))
        if each.labels[number] == label
    }
    if not wanted:
        return math.nan
    taken: set[tuple[int, int]] = set()
    points: list[tuple[float, float]] = []  # recall, precision
    for count, (_, picture, box) in enumerate(entries, start=1):
        free = [key for key in wanted if key[0] == picture and (rule == "voc" or key not in taken)]
        best = max(free, key=lambda key: slow_overlap(wanted[key], box), default=None)
        if best is not None and best not in taken and slow_overlap(wanted[best], box) >= least:
            taken.add(best)
        points.append((len(taken) / len(wanted), len(taken) / count))
    if rule == "coco":
        at = [max((p for r, p in points if r >= step / 100 - 1e-9), default=0.0) for step in range(101)]
        return sum(at) / 101
    area, before = 0.0, 0.0
    for recall in sorted({r for r, _ in points}):
        area += (recall - before) * max(p for r, p in points if r >= recall)
        before = recall
    return area


def drawn(seed: int) -> tuple[list[Detections], list[Detections]]:
    """Six pictures of three labels; boxes on a coarse grid, so that many overlap, and equal scores. One label is in none."""
    random = np.random.default_rng(seed)

    def some(most: int, labels: int) -> Detections:
        count = int(random.integers(0, most))
        corners = random.integers(0, 6, (count, 2))
        boxes = np.concatenate([corners, corners + random.integers(2, 6, (count, 2))], axis=1)
        return detections(
            boxes.tolist(), (random.integers(1, 6, count) / 5).tolist(), random.integers(0, labels, count).tolist()
        )

    return [some(12, 4) for _ in range(6)], [some(6, 3) for _ in range(6)]


@pytest.mark.parametrize("rule", ["coco", "voc"])
@pytest.mark.parametrize("least", [0.3, 0.5, 0.75])
def test_average_precision_is_the_slow_one(rule: Rule, least: float) -> None:
    for seed in range(15):
        found, truths = drawn(seed)
        expected = [slow(found, truths, label, least, rule) for label in range(4)]
        np.testing.assert_allclose(average_precision(found, truths, 4, overlap=least, rule=rule), expected, atol=1e-12)


def test_average_precision_by_hand() -> None:
    true = [detections([[0, 0, 10, 10], [20, 0, 30, 10]], [1, 1], [0, 0])]
    both = detections([[0, 0, 10, 10], [20, 0, 30, 10]], [0.9, 0.8], [0, 0])
    wrong_first = detections([[50, 50, 60, 60], [0, 0, 10, 10]], [0.9, 0.8], [0, 0])
    twice = detections([[0, 0, 10, 10], [0, 0, 10, 10], [20, 0, 30, 10]], [0.9, 0.8, 0.7], [0, 0, 0])

    def measured(found: Detections, rule: Rule) -> float:
        return float(average_precision([found], true, 1, rule=rule)[0])

    assert measured(both, "voc") == measured(both, "coco") == 1
    assert measured(wrong_first, "voc") == pytest.approx(0.25)
    assert measured(wrong_first, "coco") == pytest.approx(51 * 0.5 / 101)
    assert measured(twice, "voc") == pytest.approx(0.5 + 0.5 * 2 / 3)
    assert measured(Detections.none(), "voc") == measured(Detections.none(), "coco") == 0
    assert np.isnan(average_precision([both], [Detections.none()], 1)[0])


def test_average_precision_of_what_cannot_be_compared() -> None:
    with pytest.raises(InputError, match="2 pictures, got 1"):
        average_precision([Detections.none()], [Detections.none()] * 2, 1)
    with pytest.raises(InputError, match="'coco' or 'voc'"):
        average_precision([], [], 1, rule="best")  # type: ignore[arg-type]
