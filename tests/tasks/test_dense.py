"""Cells and maps: windows cover every point, places are right, and windows and scales are averaged."""

from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

from seesay.errors import InputError
from seesay.images.preprocess import INTERPOLATION, frame, shown_whole
from seesay.images.spec import ImageSpec
from seesay.tasks.dense import WHOLE, Cells, picture_cells, score_maps, window_boxes
from seesay.testing import fake_model

COLOURS = {"red": (255, 0, 0), "blue": (0, 0, 255)}


def halves(height: int, width: int) -> np.ndarray:
    """Red at the left, blue at the right."""
    picture = np.empty((height, width, 3), dtype=np.uint8)
    picture[:, : width // 2], picture[:, width // 2 :] = COLOURS["red"], COLOURS["blue"]
    return picture


def random_cells(seed: int, size: tuple[int, int], scales: tuple[float, ...]) -> Cells:
    generator = np.random.default_rng(seed)
    boxes = [(number, box) for number, scale in enumerate(scales) for box in window_boxes(size[1], size[0], scale)]
    vectors = generator.standard_normal((len(boxes), 3, 4, 5)).astype(np.float32)
    return Cells(size, tuple(box for _, box in boxes), tuple(number for number, _ in boxes), vectors)


def slow_value(cells: Cells, values: np.ndarray, x: float, y: float) -> np.ndarray:
    """The maps at one point of the picture, by the definition."""
    by_scale: dict[int, list[np.ndarray]] = {}
    for (x0, y0, x1, y1), scale, grid in zip(cells.windows, cells.scales, values, strict=True):
        if not (x0 - 1e-6 <= x <= x1 + 1e-6 and y0 - 1e-6 <= y <= y1 + 1e-6):
            continue
        rows, columns, labels = grid.shape
        row = min(max((y - y0) / (y1 - y0) * rows - 0.5, 0), rows - 1)
        column = min(max((x - x0) / (x1 - x0) * columns - 0.5, 0), columns - 1)
        value = np.zeros(labels)
        for r in range(rows):
            for c in range(columns):
                value += max(0, 1 - abs(row - r)) * max(0, 1 - abs(column - c)) * grid[r, c]
        by_scale.setdefault(scale, []).append(value)
    return np.asarray(np.mean([np.mean(inside, axis=0) for inside in by_scale.values()], axis=0))


@pytest.mark.parametrize("size", [(48, 64), (64, 48), (1, 1), (1, 90), (7, 300), (33, 33)])
@pytest.mark.parametrize("map_size", [None, (5, 9), (1, 1)])
def test_windows_cover_every_point(size: tuple[int, int], map_size: tuple[int, int] | None) -> None:
    for scale in (WHOLE, 1.0, 0.5, 0.3):
        assert random_cells(0, size, (scale,)).coverage(map_size).min() > 0


def test_windows_lie_in_the_picture_overlap_as_asked_and_are_few_on_a_long_strip() -> None:
    for width, height, scale, overlap in [
        (640, 480, 0.5, 0.5),
        (100, 300, 1.0, 0.25),
        (90, 90, 0.4, 0.0),
        (10_000, 10, 1.0, 0.5),
    ]:
        boxes = window_boxes(width, height, scale, overlap)
        assert all(0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height + 1e-9 for x0, y0, x1, y1 in boxes)
        assert len(boxes) <= 256
        lefts = sorted({(x0, x1) for x0, _, x1, _ in boxes})
        for (_, end), (start, right) in pairwise(lefts):
            assert end - start >= overlap * (right - start) - 1e-6
    assert window_boxes(640, 480, WHOLE) == [(0, 0, 640, 480)]
    assert window_boxes(640, 480, 1.0) == [(0, 0, 480, 480), (160, 0, 640, 480)]


@pytest.mark.parametrize("size", [(20, 30), (31, 11)])
def test_maps_are_those_of_the_definition(size: tuple[int, int]) -> None:
    cells = random_cells(1, size, (WHOLE, 1.0, 0.6))
    values = np.random.default_rng(2).standard_normal((*cells.vectors.shape[:3], 2)).astype(np.float32)
    for rows, columns in ((20, 30), (7, 5)):
        maps = cells.maps(values, (rows, columns))
        for y in range(rows):
            for x in range(columns):
                expected = slow_value(cells, values, (x + 0.5) * size[1] / columns, (y + 0.5) * size[0] / rows)
                np.testing.assert_allclose(maps[y, x], expected, atol=1e-5)


def test_a_picture_of_one_colour_has_the_maps_of_its_single_window() -> None:
    model, texts = fake_model(), fake_model().encode_text(["red", "blue", "green"])
    picture = np.full((60, 100, 3), COLOURS["red"], dtype=np.uint8)
    maps = score_maps(model, picture, texts)
    single = model.encode_dense(picture)[0, 0, 0] @ texts.T
    assert maps.shape == (60, 100, 3)
    np.testing.assert_allclose(maps, np.broadcast_to(single, maps.shape), atol=1e-5)


def test_each_half_fits_its_own_text() -> None:
    model = fake_model()
    maps = score_maps(model, halves(80, 160), model.encode_text(["red", "blue"]), size=(40, 80))
    assert maps.shape == (40, 80, 2)
    assert (maps.argmax(axis=2) == np.repeat([0, 1], 40)).all()


def test_cells_of_one_pixel_and_of_a_line() -> None:
    for height, width in ((1, 1), (1, 50), (50, 1)):
        cells = picture_cells(fake_model(), np.zeros((height, width, 3), dtype=np.uint8))
        assert cells.maps(cells.cosines(fake_model().encode_text(["black"]))).shape == (height, width, 1)
        assert np.isfinite(cells.vectors).all()


def test_more_windows_than_a_batch_are_each_in_their_place() -> None:
    cells = picture_cells(fake_model(), halves(64, 64), scales=(0.25,))
    assert len(cells.windows) == 49
    red, blue = cells.cosines(fake_model().encode_text(["red", "blue"])).mean(axis=(1, 2)).T
    for (x0, _, x1, _), is_red in zip(cells.windows, red > blue, strict=True):
        if x0 + x1 != 64:
            assert is_red == (x0 + x1 < 64)


@pytest.mark.parametrize(
    "spec",
    [
        ImageSpec(32, "shortest", 32, "bicubic", (0, 0, 0), (1, 1, 1)),
        ImageSpec(32, "shortest", 41, "bicubic", (0, 0, 0), (1, 1, 1)),
        ImageSpec(32, "shortest", 41, "bicubic", (0, 0, 0), (1, 1, 1), crop="floored"),
        ImageSpec(32, "squash", 32, "bilinear", (0, 0, 0), (1, 1, 1)),
        ImageSpec(32, "squash", 36, "bilinear", (0, 0, 0), (1, 1, 1)),
        ImageSpec(32, "longest", 32, "lanczos", (0, 0, 0), (1, 1, 1), fill=127),
    ],
)
def test_every_rule_of_resizing_shows_a_window_whole(spec: ImageSpec) -> None:
    image = Image.fromarray(np.random.default_rng(3).integers(0, 256, (50, 70, 3), dtype=np.uint8))
    box = (3.5, 10.0, 60.0, 44.25)
    seen = frame(shown_whole(image, box, spec), spec)
    expected = image.resize((32, 32), INTERPOLATION[spec.interpolation], box=box)
    assert np.array_equal(np.asarray(seen), np.asarray(expected))


@pytest.mark.parametrize(
    "picture",
    [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.float32), np.zeros((0, 4, 3), np.uint8), np.zeros((4, 4, 4), np.uint8)],
)
def test_what_is_no_picture_is_refused(picture: np.ndarray) -> None:
    with pytest.raises(InputError, match="uint8 picture"):
        picture_cells(fake_model(), picture)


def test_scales_and_overlaps_without_meaning_are_refused() -> None:
    with pytest.raises(InputError, match="at least one scale"):
        picture_cells(fake_model(), halves(8, 8), scales=())
    for scale, overlap in ((0, 0.5), (-1, 0.5), (1, 1), (1, -0.1), (float("nan"), 0.5)):
        with pytest.raises(InputError, match="a scale above 0 and an overlap"):
            window_boxes(8, 8, scale, overlap)
    cells = picture_cells(fake_model(), halves(8, 8), scales=(WHOLE,))
    with pytest.raises(InputError, match="expected values"):
        cells.maps(np.zeros((1, 9, 9, 2), np.float32))
