"""Polygons follow the borders of pixels, and give the mask back when they are filled, with its holes."""

import numpy as np
import pytest

from seesay.tasks.polygons import to_polygons


def filled(polygons: list[list[int]], shape: tuple[int, int]) -> np.ndarray:
    """A pixel is inside where a ray from its centre to the left crosses the polygons an odd number of times."""
    inside = np.zeros(shape, dtype=int)
    for polygon in polygons:
        points = np.array(polygon).reshape(-1, 2)
        for (x0, y0), (x1, y1) in zip(points, np.roll(points, -1, axis=0), strict=True):
            assert x0 == x1 or y0 == y1
            inside[min(y0, y1) : max(y0, y1), x0:] += 1 if x0 == x1 else 0
    return np.asarray(inside % 2 == 1)


def parse(rows: str) -> np.ndarray:
    return np.array([[letter == "#" for letter in row] for row in rows.split()])


@pytest.mark.parametrize(
    ("rows", "polygons"),
    [
        ("...", []),
        ("#", [[0, 0, 1, 0, 1, 1, 0, 1]]),
        (".##. .##.", [[1, 0, 3, 0, 3, 2, 1, 2]]),
        ("#. .#", [[0, 0, 1, 0, 1, 1, 0, 1], [1, 1, 2, 1, 2, 2, 1, 2]]),  # pixels that touch in a corner are apart
        ("#.. ###", [[0, 0, 1, 0, 1, 1, 3, 1, 3, 2, 0, 2]]),
        ("### #.# ###", [[0, 0, 3, 0, 3, 3, 0, 3, 0, 1, 1, 1, 1, 2, 2, 2, 2, 1, 0, 1]]),  # a cut leads to the hole and back
    ],
)
def test_small_masks(rows: str, polygons: list[list[int]]) -> None:
    found = to_polygons(parse(rows))
    assert sorted(map(canonical, found)) == sorted(map(canonical, polygons))
    assert (filled(found, parse(rows).shape) == parse(rows)).all()


def canonical(polygon: list[int]) -> list[tuple[int, int]]:
    """The points from the least one on."""
    points = list(zip(polygon[::2], polygon[1::2], strict=True))
    at = points.index(min(points))
    turned = [points[at:] + points[:at], *(points[n:] + points[:n] for n, p in enumerate(points) if p == min(points))]
    return min(turned)


@pytest.mark.parametrize("seed", range(30))
def test_filled_they_are_the_mask(seed: int) -> None:
    generator = np.random.default_rng(seed)
    mask = generator.random(generator.integers(1, 25, 2)) < generator.choice([0.3, 0.5, 0.7, 0.95])
    if seed % 3 == 0:
        mask = np.kron(mask, np.ones((2, 3), dtype=bool))
    assert (filled(to_polygons(mask), mask.shape) == mask).all()


def test_holes_in_islands_in_holes() -> None:
    mask = np.zeros((40, 40), dtype=bool)
    for number, margin in enumerate(range(0, 20, 3)):
        mask[margin : 40 - margin, margin : 40 - margin] = number % 2 == 0
    assert len(to_polygons(mask)) == 4
    assert (filled(to_polygons(mask), mask.shape) == mask).all()
