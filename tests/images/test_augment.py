"""Augmentation: without random changes it equals to_pixels; its crops have the distribution that torchvision documents."""

import io
import math
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from seesay.errors import InputError
from seesay.images.augment import Augment, augment, random_crop
from seesay.images.decoding.decode import Picture
from seesay.images.preprocess import normalize, to_pixels
from seesay.images.read import read
from tests.images.test_preprocess import CLIP, noise

SMALL = replace(CLIP, size_px=32, resize_px=32)


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def jpeg(width: int, height: int) -> bytes:
    y, x = np.mgrid[0:height, 0:width] / min(width, height)
    waves = np.stack([np.sin(x * 20), np.sin(y * 20), np.sin((x + y) * 15)], axis=-1)
    stream = io.BytesIO()
    Image.fromarray((127 + 100 * waves).astype(np.uint8)).save(stream, "JPEG", quality=95, subsampling=0)
    return stream.getvalue()


@pytest.mark.parametrize("size", [(640, 480), (37, 100), (224, 224), (1, 1)])
@pytest.mark.parametrize("resize", ["shortest", "squash", "longest"])
def test_without_chance_it_is_preprocess_bit_for_bit(size: tuple[int, int], resize: Any) -> None:
    spec = replace(CLIP, resize=resize, fill=90)
    pictures = [read(noise(*size)), read(noise(*size))]
    levels = np.stack([augment(picture, spec, Augment(), generator()) for picture in pictures])
    assert (levels.shape, levels.dtype, levels.flags.c_contiguous) == ((2, 3, 224, 224), np.uint8, True)
    np.testing.assert_array_equal(normalize(levels, spec), np.stack([to_pixels(picture, spec) for picture in pictures]))


def test_without_chance_a_fast_decode_is_preprocess_bit_for_bit() -> None:
    picture = read(jpeg(1603, 2401), decode="fast", enough_px=Augment().enough_px(CLIP))
    assert picture.image.width < picture.width
    expected = to_pixels(picture, CLIP)[None]
    np.testing.assert_array_equal(normalize(augment(picture, CLIP, Augment(), generator())[None], CLIP), expected)


def test_the_same_generator_gives_the_same_picture_and_another_another() -> None:
    how = Augment((0.5, 1.0), flip=True, colour=0.4, grey=0.2)
    picture = read(noise(90, 70))
    one, same, other = (augment(picture, SMALL, how, generator(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()


def torchvision_crop(width: int, height: int, scale: tuple[float, float], rng: random.Random) -> tuple[int, int, int, int]:
    """RandomResizedCrop.get_params as its documentation and source describe it, with Python's generator."""
    area = height * width
    low, high = math.log(3 / 4), math.log(4 / 3)
    for _ in range(10):
        target = area * rng.uniform(*scale)
        aspect = math.exp(rng.uniform(low, high))
        w, h = round(math.sqrt(target * aspect)), round(math.sqrt(target / aspect))
        if 0 < w <= width and 0 < h <= height:
            top, left = rng.randint(0, height - h), rng.randint(0, width - w)
            return left, top, w, h
    ratio = width / height
    if ratio < 3 / 4:
        w, h = width, round(width / (3 / 4))
    elif ratio > 4 / 3:
        w, h = round(height * (4 / 3)), height
    else:
        w, h = width, height
    return (width - w) // 2, (height - h) // 2, w, h


def with_area_and_shape(crops: np.ndarray) -> np.ndarray:
    _, _, width, height = crops
    return np.stack([*crops, width * height, width / height])


@pytest.mark.parametrize("size", [(640, 480), (300, 300), (200, 700), (2000, 100), (100, 2000)])
@pytest.mark.parametrize("scale", [(0.08, 1.0), (0.9, 1.0), (0.5, 0.5)])
def test_crops_have_the_distribution_of_torchvisions(size: tuple[int, int], scale: tuple[float, float]) -> None:
    """Kolmogorov and Smirnov's distance between 4000 draws of each; 0.05 is passed by chance about once in 10,000."""
    ours, theirs = generator(5), random.Random(5)
    drawn = np.array([random_crop(*size, scale, ours) for _ in range(4000)], dtype=float).T
    expected = np.array([torchvision_crop(*size, scale, theirs) for _ in range(4000)], dtype=float).T
    for one, other in zip(with_area_and_shape(drawn), with_area_and_shape(expected), strict=True):
        at = np.union1d(one, other)
        apart = np.searchsorted(np.sort(one), at, side="right") - np.searchsorted(np.sort(other), at, side="right")
        assert np.abs(apart).max() / 4000 < 0.05


@given(st.integers(1, 3000), st.integers(1, 3000), st.floats(0.01, 1), st.floats(0.01, 1), st.integers(0, 2**32))
def test_a_crop_lies_within_the_picture(width: int, height: int, a: float, b: float, seed: int) -> None:
    left, top, w, h = random_crop(width, height, (min(a, b), max(a, b)), generator(seed))
    assert left >= 0
    assert top >= 0
    assert 1 <= w <= width - left
    assert 1 <= h <= height - top


@given(st.integers(1000, 4000), st.integers(1000, 4000), st.floats(0.05, 0.99), st.integers(0, 2**32))
def test_no_crop_is_enlarged_because_of_a_fast_decode(width: int, height: int, low: float, seed: int) -> None:
    how = Augment((low, 1.0))
    reduced = max(r for r in (1, 2, 4, 8) if r == 1 or min(width, height) / r >= 2 * how.enough_px(SMALL))
    _, _, w, h = random_crop(width, height, how.crop_scale, generator(seed))
    assert min(w, h) / reduced > SMALL.size_px - 1


def test_a_crop_is_cut_from_where_it_was_drawn() -> None:
    picture = read(noise(300, 200))
    how = Augment((0.2, 0.8))
    left, top, w, h = random_crop(300, 200, how.crop_scale, generator(9))
    cut = picture.image.crop((left, top, left + w, top + h)).resize((32, 32), Image.Resampling.BICUBIC)
    got, expected = augment(picture, SMALL, how, generator(9)), np.asarray(cut).transpose(2, 0, 1)
    inner = np.s_[:, 2:-2, 2:-2]  # at the edge, resize() sees what lies beyond the box
    assert np.abs(got[inner].astype(int) - expected[inner]).max() <= 1


def test_a_crop_of_a_fast_decode_shows_the_same_part() -> None:
    data, how = jpeg(1603, 2401), Augment((0.3, 1.0))
    fast = read(data, decode="fast", enough_px=how.enough_px(SMALL))
    assert fast.image.width <= 1603 / 4
    for seed in range(10):
        got, expected = (augment(p, SMALL, how, generator(seed)).astype(int) for p in (fast, read(data)))
        assert np.abs(got - expected).mean() < 1.5


def test_half_of_the_pictures_are_flipped() -> None:
    picture, how = read(noise(32, 32)), Augment(flip=True)
    plain = augment(picture, SMALL, Augment(), generator())
    flipped = 0
    for seed in range(400):
        got = augment(picture, SMALL, how, generator(seed))
        turned = bool((got != plain).any())
        np.testing.assert_array_equal(got, plain[:, :, ::-1] if turned else plain)
        flipped += turned
    assert 160 < flipped < 240


def test_grey_pictures_have_three_equal_channels_as_often_as_said() -> None:
    picture, how = read(noise(32, 32)), Augment(grey=0.25)
    grey = sum(not np.ptp(augment(picture, SMALL, how, generator(seed)), axis=0).any() for seed in range(400))
    assert 70 < grey < 130


def test_colour_changes_levels_by_no_more_than_its_strength() -> None:
    flat = Picture(Image.new("RGB", (32, 32), (100, 100, 100)), 32, 32, read(noise(1, 1)).metadata)
    means = [augment(flat, SMALL, Augment(colour=0.2), generator(seed)).mean() for seed in range(200)]
    assert 79 <= min(means) < 84
    assert 116 < max(means) <= 121
    assert np.mean(means) == pytest.approx(100, abs=3)


def test_only_chance_is_random_and_only_crops_need_more_pixels() -> None:
    assert not Augment().random
    assert all(how.random for how in (Augment((0.9, 1.0)), Augment(flip=True), Augment(colour=0.1), Augment(grey=0.1)))
    assert Augment(flip=True).enough_px(CLIP) == 224
    assert Augment((0.9, 1.0)).enough_px(CLIP) == 224


@pytest.mark.parametrize(
    "wrong",
    [{"crop_scale": (0.0, 1.0)}, {"crop_scale": (0.9, 0.5)}, {"crop_scale": (0.5, 1.1)}, {"colour": -0.1}, {"grey": 1.5}],
)
def test_impossible_values_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="expected"):
        Augment(**wrong)


def test_a_recipes_photos_come_through(photos: list[Path]) -> None:
    how = Augment((0.4, 1.0), flip=True, colour=0.3, grey=0.1)
    for number, path in enumerate(photos[::10]):
        picture = read(path, decode="fast", enough_px=how.enough_px(SMALL))
        assert augment(picture, SMALL, how, generator(number)).shape == (3, 32, 32)
