"""Segmentation: planted labels are found where they are, order means nothing, and what fits no label has none."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from PIL import Image

from seesay.errors import InputError, MissingCapability
from seesay.images.spec import ImageSpec
from seesay.model import Model
from seesay.models.logits import Logits
from seesay.models.segmenter import NONE, Segmentation
from seesay.models.vectors import normalize
from seesay.tasks.segmentation import BACKGROUND, CellSegmenter, Choice, choose, work_size

COLOURS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255), "black": (0, 0, 0), "white": (255, 255, 255)}


class PlantedEncoder:
    """Cells are the vectors of their colours' names, and texts those of the name that they hold."""

    image_spec = ImageSpec(32, "squash", 32, "nearest", (0, 0, 0), (1, 1, 1))
    logits = Logits(3.0, None, "softmax")
    names = tuple(COLOURS)

    def encode_text(self, texts: str | Sequence[str], *, normalize: bool = True) -> np.ndarray:
        vectors = np.zeros((len(texts), len(self.names) + 1), dtype=np.float32)
        for row, text in zip(vectors, texts, strict=True):
            row[next((at for at, name in enumerate(self.names) if name in text), -1)] = 1
        return vectors

    def encode_image(self, items: Any, *, normalize: bool = True) -> np.ndarray:
        return np.asarray(self.encode_dense(items).mean(axis=(1, 2)))

    def encode_dense(self, items: Any, *, normalize: bool = True) -> np.ndarray:
        palette = np.array(list(COLOURS.values()))
        cells = np.stack([np.asarray(item) for item in items]).reshape(-1, 16, 2, 16, 2, 3).mean(axis=(2, 4))
        nearest = np.abs(cells[..., None, :] - palette).sum(axis=-1).argmin(axis=-1)
        return np.asarray(np.eye(len(self.names) + 1, dtype=np.float32)[nearest])


def quarters(height: int = 96, width: int = 128) -> tuple[Image.Image, np.ndarray]:
    """A picture of four colours in an order, and the mask of red, green, blue, black."""
    mask = np.zeros((height, width), dtype=np.uint8)
    mask[: height // 2, width // 2 :], mask[height // 2 :, : width // 2], mask[height // 2 :, width // 2 :] = 1, 2, 3
    palette = np.array([COLOURS[name] for name in ("red", "green", "blue", "black")], dtype=np.uint8)
    return Image.fromarray(palette[mask]), mask


def test_planted_labels_are_found_to_the_pixel() -> None:
    picture, mask = quarters()
    found = CellSegmenter(PlantedEncoder(), background=()).segment(picture, ["red", "green", "blue", "black"])
    assert found.mask.dtype == np.uint8
    assert (found.mask == mask).all()  # IoU 1
    np.testing.assert_allclose(found.shares, 0.25)
    assert (found.scores > 0.5).all()


def test_a_large_picture_has_a_mask_of_its_own_size() -> None:
    picture, mask = quarters(1200, 2600)
    found = CellSegmenter(PlantedEncoder(), background=()).segment(picture, ["red", "green", "blue", "black"])
    assert found.mask.shape == (1200, 2600)
    assert (found.mask == mask).mean() > 0.99


@pytest.mark.parametrize("refined", [True, False])
def test_another_order_of_labels_gives_the_same_masks(fake: Model, refined: bool) -> None:
    picture, _ = quarters()
    labels = ["red", "green", "blue", "black"]
    order = [2, 0, 3, 1]
    segmenter = CellSegmenter(fake, background=(), choice=Choice(refined=refined))
    first, second = segmenter.segment(picture, labels), segmenter.segment(picture, [labels[at] for at in order])
    for at, old in enumerate(order):
        assert (second.mask == at).tolist() == (first.mask == old).tolist()
        assert second.scores[at] == pytest.approx(first.scores[old])


def test_what_fits_the_background_better_has_no_label() -> None:
    picture, mask = quarters()
    found = CellSegmenter(PlantedEncoder(), background=("green", "blue")).segment(picture, ["red", "black"])
    assert (found.mask == np.array([0, NONE, NONE, 1])[mask]).all()
    assert found.shares.sum() == pytest.approx(0.5)


def test_one_label_stands_against_the_usual_background() -> None:
    picture, mask = quarters()
    found = CellSegmenter(PlantedEncoder()).segment(picture, ["red"])
    assert ((found.mask == 0) == (mask == 0)).all()


def test_a_background_phrase_that_is_a_label_is_left_out() -> None:
    segmenter = CellSegmenter(PlantedEncoder(), background=("red", "green"))
    assert len(segmenter.embeddings(["red", "blue"])) == 3
    assert len(segmenter.embeddings(["black", "blue"])) == 4


def test_chinese_labels_have_a_chinese_background(bundled: Model) -> None:
    picture = Image.new("RGB", (40, 30), "black")
    found = CellSegmenter(bundled, scales=(1.0,)).segment(picture, ["狗", "天空"])
    assert found.mask.shape == (30, 40)


def test_below_the_threshold_a_pixel_has_no_label() -> None:
    maps = np.zeros((10, 10, 2), dtype=np.float32)
    maps[:5, :, 0], maps[5:, :, 1] = 3.0, 0.1
    choice = Choice(refined=False, threshold=0.9)
    found = choose(maps, Image.new("RGB", (10, 10)), ["a", "b"], choice)
    assert (found.mask[:4] == 0).all()
    assert (found.mask[6:] == NONE).all()
    assert found.scores[0] == pytest.approx(1 / (1 + np.exp(-3)), abs=1e-3)
    assert found.scores[1] == 0


def test_a_label_of_too_small_an_area_leaves_its_pixels_to_the_next_best() -> None:
    maps = np.zeros((100, 100, 3), dtype=np.float32)
    maps[:, :, 0], maps[3, 3, 1], maps[50:, :, 2] = 1, 9, 5
    picture = Image.new("RGB", (100, 100))
    found = choose(maps, picture, ["a", "speck"], Choice(refined=False))
    assert found.shares.tolist() == pytest.approx([0.5, 0], abs=0.02)
    assert (choose(maps, picture, ["a", "speck"], Choice(refined=False, least_area=0)).mask == 1).any()


def test_as_many_labels_as_a_mask_holds() -> None:
    maps = np.full((16, 17, 256), -5, dtype=np.float32)
    for number in range(255):
        maps[number // 17, number % 17, number] = 5
    maps[15, :, 255] = 9
    found = choose(maps, Image.new("RGB", (17, 16)), [str(n) for n in range(255)], Choice(refined=False, least_area=0))
    assert found.mask.ravel()[:254].tolist() == list(range(254))
    assert (found.mask[15] == NONE).all()


@pytest.mark.parametrize("size", [(1, 1), (1, 60), (200, 2)])
def test_tiny_and_thin_pictures(fake: Model, size: tuple[int, int]) -> None:
    found = CellSegmenter(fake).segment(Image.new("RGB", size, "red"), ["red", "blue"])
    assert found.mask.shape == size[::-1]


def test_labels_that_cannot_be_used_are_refused(fake: Model) -> None:
    picture, segmenter = Image.new("RGB", (8, 8)), CellSegmenter(fake, background=())
    with pytest.raises(InputError, match="at most 255 labels, got 256"):
        segmenter.segment(picture, [str(number) for number in range(256)])
    with pytest.raises(InputError, match="at least one label"):
        segmenter.segment(picture, [])
    with pytest.raises(InputError, match="one label without a background"):
        segmenter.segment(picture, ["red"])
    with pytest.raises(InputError, match="is empty"):
        segmenter.segment(picture, ["red", " "])


def test_a_model_without_cells_says_how_to_get_them(fake: Model) -> None:
    class Blind(PlantedEncoder):
        def encode_dense(self, items: Any, *, normalize: bool = True) -> np.ndarray:
            raise MissingCapability("no dense output")

    with pytest.raises(MissingCapability, match="no dense output"):
        CellSegmenter(Blind()).segment(Image.new("RGB", (8, 8)), ["red"])


def test_background_phrases_are_vectors_of_their_own(fake: Model) -> None:
    vectors = CellSegmenter(fake).embeddings(["red", "blue"])
    assert 2 < len(vectors) <= 2 + len(BACKGROUND)
    np.testing.assert_allclose(vectors, normalize(vectors), atol=1e-6)
    assert Segmentation(("a",), np.zeros((2, 2), np.uint8), np.ones(1)).shares.tolist() == [1]
    assert work_size((640, 480)) == (320, 240)
    assert work_size((3, 2)) == (3, 2)
