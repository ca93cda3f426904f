from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seesay.errors import InputError
from seesay.evaluation.corruptions import CORRUPTIONS, SEVERITIES, Corrupt, corrupted
from seesay.evaluation.features import picture_features
from seesay.model import Model
from tests.conftest import Paint


@pytest.fixture(scope="module")
def photo(photos: list[Path]) -> Image.Image:
    image = Image.open(photos[0]).convert("RGB")
    image.thumbnail((160, 160))
    return image


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_the_same_arguments_give_the_same_pixels_and_others_do_not(photo: Image.Image, name: str) -> None:
    once = corrupted(photo, name, 3, number=5, seed=1)
    assert once.mode == "RGB"
    assert np.array_equal(once, corrupted(photo, name, 3, number=5, seed=1))
    if name in ("noise", "crop"):
        assert not np.array_equal(once, corrupted(photo, name, 3, number=6, seed=1))
        assert not np.array_equal(once, corrupted(photo, name, 3, number=5, seed=2))


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_each_degree_is_further_from_the_original(photo: Image.Image, name: str) -> None:
    def distance(severity: int) -> float:
        image = corrupted(photo, name, severity)
        if name == "crop":
            return float(photo.width - image.width)
        return float(np.abs(np.asarray(image, dtype=float) - np.asarray(photo, dtype=float)).mean())

    distances = [0.0, *(distance(severity) for severity in SEVERITIES)]
    assert np.all(np.diff(distances) > 0)


def test_the_last_grey_has_no_colour(photo: Image.Image) -> None:
    red, green, blue = corrupted(photo, "grey", 5).split()
    assert np.array_equal(red, green)
    assert np.array_equal(red, blue)


def test_unknown_ones_are_refused(photo: Image.Image) -> None:
    with pytest.raises(InputError, match="expected one of noise, blur"):
        corrupted(photo, "rain", 1)
    with pytest.raises(InputError, match="severity 1 to 5"):
        corrupted(photo, "blur", 6)


def test_large_pictures_are_brought_down_first_and_each_degree_has_its_own_vectors(fake: Model, paint: Paint) -> None:
    images = [paint("large.png", "red", size=(400, 300)), paint("small.png", "blue", size=(20, 10))]
    assert Corrupt("blur", 1, shorter_px=32)(0, images[0]).size == (43, 32)
    assert Corrupt("blur", 1, shorter_px=32)(0, images[1]).size == (20, 10)
    vectors = []
    for severity in (1, 5, 1):
        alter = Corrupt("noise", severity, shorter_px=32)
        vectors.append(picture_features(fake, images, alter=alter, variant=alter.variant).vectors)
    assert np.array_equal(vectors[0], vectors[2])
    assert not np.array_equal(vectors[0], vectors[1])
    assert not np.array_equal(vectors[0], picture_features(fake, images).vectors)
