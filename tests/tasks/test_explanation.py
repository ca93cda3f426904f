"""Heat maps are hot where a text's thing is; removing that part costs most of the score."""

import numpy as np
import pytest
from PIL import Image

from seesay.errors import InputError, MissingCapability
from seesay.model import Model
from seesay.tasks.explanation import SHARES, Way, deletion, explain, hottest, insertion


def square(size: int = 96) -> tuple[Image.Image, np.ndarray]:
    """A red square in a black picture, and where it is."""
    where = np.zeros((size, size), dtype=bool)
    where[size // 8 : size // 2, size // 8 : size // 2] = True
    return Image.fromarray(np.where(where[:, :, None], (255, 0, 0), (0, 0, 0)).astype(np.uint8)), where


@pytest.mark.parametrize("way", ["cells", "occlusion"])
def test_the_heat_lies_where_the_thing_is(fake: Model, way: Way) -> None:
    picture, where = square()
    found = explain(fake, picture, "red", way)
    assert found.heat.shape == (64, 64)
    assert found.heat.dtype == np.float32
    assert found.score == pytest.approx(float((fake.encode_image(picture) @ fake.encode_text("red").T)[0, 0]), abs=1e-6)
    small = np.asarray(Image.fromarray(where).resize((64, 64)))
    assert small[hottest(found.heat, 0.08)].mean() > 0.9
    assert found.heat[small].mean() > found.heat[~small].mean() + 0.01


def test_removing_the_hot_part_costs_more_than_removing_others(fake: Model) -> None:
    picture, where = square()
    text = fake.encode_text("red")[0]
    heat = where.astype(np.float32)
    (whole, without), (_, other) = deletion(fake, picture, text, heat, (0, 0.2)), deletion(fake, picture, text, -heat, (0, 0.2))
    assert whole - without > 2 * abs(whole - other)


def test_deletion_and_insertion_end_where_the_other_begins(fake: Model) -> None:
    picture, where = square()
    text, heat = fake.encode_text("red")[0], where.astype(np.float32)
    less, more = deletion(fake, picture, text, heat), insertion(fake, picture, text, heat)
    assert less.shape == more.shape == (len(SHARES),)
    assert less[0] == pytest.approx(more[-1])
    assert less[-1] == pytest.approx(more[0])
    assert less[0] == pytest.approx(float((fake.encode_image(picture) @ text)[0]), abs=1e-6)


def test_the_hottest_share_is_as_large_as_asked_and_of_equals_the_first() -> None:
    heat = np.array([[1.0, 3.0], [3.0, 2.0]])
    assert hottest(heat, 0.25).tolist() == [[False, True], [False, False]]
    assert hottest(heat, 0.75).tolist() == [[False, True], [True, True]]
    assert not hottest(heat, 0).any()
    assert hottest(heat, 1).all()


@pytest.mark.parametrize("way", ["cells", "occlusion"])
@pytest.mark.parametrize("size", [(1, 1), (1, 70), (300, 2)])
def test_tiny_and_thin_pictures(fake: Model, way: Way, size: tuple[int, int]) -> None:
    heat = explain(fake, Image.new("RGB", size, "red"), "red", way).heat
    assert np.isfinite(heat).all()
    assert heat.ndim == 2
    assert max(heat.shape) <= 64


def test_occlusion_needs_no_cells(fake: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: object, pixels: np.ndarray) -> np.ndarray:
        raise MissingCapability("no features per patch")

    monkeypatch.setattr(type(fake.engine), "encode_dense", fail)
    with pytest.raises(MissingCapability):
        explain(fake, square()[0], "red")
    assert explain(fake, square()[0], "red", "occlusion").heat.max() > 0


def test_an_empty_text_is_refused(fake: Model) -> None:
    with pytest.raises(InputError, match="the text is empty"):
        explain(fake, square()[0], " \n")
