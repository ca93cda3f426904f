"""The guided filter equals the formulas of its paper, window by window."""

import numpy as np
import pytest

from seesay.tasks.guided_filter import CHUNK, box_mean, guided_filter


def around(length: int, at: int, radius: int) -> range:
    return range(max(0, at - radius), min(length, at + radius + 1))


def slow_filter(guide: np.ndarray, values: np.ndarray, radius: int, eps: float) -> np.ndarray:
    """He, Sun and Tang 2013, equations 14, 15 and 16, for one map."""
    height, width = values.shape
    lines = {}
    for y in range(height):
        for x in range(width):
            window = [(j, i) for j in around(height, y, radius) for i in around(width, x, radius)]
            colours = np.array([guide[point] for point in window])
            inside = np.array([values[point] for point in window])
            mean = colours.mean(axis=0)
            covariance = sum(np.outer(c - mean, c - mean) for c in colours) / len(window)
            a = np.linalg.inv(covariance + eps * np.eye(3)) @ ((colours * inside[:, None]).mean(axis=0) - mean * inside.mean())
            lines[y, x] = (a, inside.mean() - a @ mean)
    result = np.empty((height, width))
    for y in range(height):
        for x in range(width):
            over = [lines[j, i] for j in around(height, y, radius) for i in around(width, x, radius)]
            result[y, x] = np.mean([a for a, _ in over], axis=0) @ guide[y, x] + np.mean([b for _, b in over])
    return result


@pytest.mark.parametrize(("shape", "radius"), [((7, 9), 2), ((5, 4), 1), ((3, 3), 10), ((1, 6), 2), ((1, 1), 1)])
def test_equals_the_formulas_of_the_paper(shape: tuple[int, int], radius: int) -> None:
    generator = np.random.default_rng(0)
    guide, maps = generator.random((*shape, 3)), generator.standard_normal((*shape, CHUNK + 2))
    filtered = guided_filter(guide, maps, radius, 1e-2)
    assert filtered.dtype == np.float32
    for number in (0, CHUNK - 1, CHUNK + 1):
        np.testing.assert_allclose(filtered[:, :, number], slow_filter(guide, maps[:, :, number], radius, 1e-2), atol=1e-5)


def test_a_box_mean_counts_only_what_lies_inside() -> None:
    values = np.arange(12.0).reshape(3, 4, 1)
    assert box_mean(values, 1)[0, 0, 0] == np.mean([0, 1, 4, 5])
    assert box_mean(values, 1)[1, 1, 0] == np.mean([0, 1, 2, 4, 5, 6, 8, 9, 10])
    assert (box_mean(values, 9) == values.mean()).all()


def test_a_constant_map_stays_and_sums_over_maps_stay() -> None:
    guide = np.random.default_rng(1).random((20, 30, 3))
    shares = np.random.default_rng(2).random((20, 30, 4))
    shares /= shares.sum(axis=2, keepdims=True)
    np.testing.assert_allclose(guided_filter(guide, np.full((20, 30, 1), 0.7), 4, 1e-4), 0.7, atol=1e-5)
    np.testing.assert_allclose(guided_filter(guide, shares, 4, 1e-4).sum(axis=2), 1, atol=1e-5)


def test_a_blurred_border_moves_to_the_edge_of_the_picture() -> None:
    guide = np.zeros((40, 40, 3))
    guide[:, 20:] = 0.8
    blurred = np.clip((np.arange(40) - 12) / 16, 0, 1)[None, :, None] * np.ones((40, 1, 1))
    filtered = guided_filter(guide, blurred, 12, 1e-4)
    step = filtered[:, 20] - filtered[:, 19]
    assert (step > 0.5).all()
    assert np.abs(np.diff(filtered[:, :19, 0], axis=1)).max() < 0.02
