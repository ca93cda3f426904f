"""Detection and segmentation with towers that were trained for it, on planted regions and masks."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from PIL import Image

from seesay.errors import InputError, MissingCapability
from seesay.images.spec import ImageSpec
from seesay.models.regions import Regions
from seesay.models.segmenter import NONE
from seesay.tasks.detection import select
from seesay.tasks.mask_segmentation import MaskSegmenter
from seesay.tasks.region_detection import LIKE, RegionDetector, thing

HALF = (0.5, 0.5, 0.5)
SQUASH = ImageSpec(32, "squash", 32, "bicubic", HALF, HALF)
CORNER = ImageSpec(32, "corner", 32, "bilinear", HALF, HALF)
TEXTS = {"red": [1.0, 0.0, 0.0], "green": [0.0, 1.0, 0.0], "blue": [0.0, 0.0, 1.0]}


class Planted:
    """Finds what it was told of: regions as (x0, y0, x1, y1, text, how sure), masks by text."""

    def __init__(self, spec: ImageSpec, regions: Any = (), masks: Any = None, objectness: Any = None) -> None:
        self.image_spec, self.regions, self.masks, self.objectness = spec, regions, masks, objectness
        self.texts: list[list[str]] = []

    def encode_text(self, texts: str | Sequence[str]) -> np.ndarray:
        self.texts.append(list(texts))
        return np.array([TEXTS[text] for text in texts], dtype=np.float32)

    def find_regions(self, items: Any) -> list[Regions]:
        boxes = np.array([region[:4] for region in self.regions], dtype=np.float32)
        centred = np.concatenate([(boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]], axis=1)
        vectors = np.array([TEXTS[region[4]] for region in self.regions], dtype=np.float32)
        sure = np.array([region[5] for region in self.regions], dtype=np.float32)
        objectness = None if self.objectness is None else np.array(self.objectness, dtype=np.float32)
        return [Regions(vectors * 3, np.full(len(boxes), -0.5, dtype=np.float32), sure, centred, objectness)]

    def find_masks(self, items: Any, queries: np.ndarray) -> np.ndarray:
        return np.array([[self.masks[text] for text in self.texts[-1]]], dtype=np.float32)


def test_a_region_has_its_best_label_and_a_box_in_pixels() -> None:
    regions = [(0.1, 0.2, 0.5, 0.6, "red", 8), (0.5, 0.5, 0.9, 1.0, "blue", 4), (0.0, 0.0, 1.0, 1.0, "green", 1)]
    picture = Image.new("RGB", (200, 100))
    detector = RegionDetector(Planted(SQUASH, regions))
    found = select(detector.detect(picture, ["blue", "red"]), detector.selection)
    np.testing.assert_allclose(found.boxes[:2], [[20, 20, 100, 60], [100, 50, 180, 100]], atol=1e-4)
    assert found.labels.tolist()[:2] == [1, 0]
    np.testing.assert_allclose(found.scores[:2], 1 / (1 + np.exp([-4.0, -2.0])), atol=1e-6)
    assert len(found) == 3  # nothing like the labels, but above 0.1: sigmoid(-0.5)


def test_boxes_of_padded_pictures_are_shares_of_the_longer_side_and_end_at_the_picture() -> None:
    regions = [(0.1, 0.2, 0.5, 0.6, "red", 8), (0.2, 0.4, 0.3, 0.9, "red", 8), (0.0, 0.6, 0.5, 0.9, "red", 8)]
    detector = RegionDetector(Planted(CORNER, regions))
    found = detector.detect(Image.new("RGB", (200, 100)), ["red"])
    np.testing.assert_allclose(found.boxes, [[20, 40, 100, 100], [40, 80, 60, 100]], atol=1e-4)  # the last is in the grey
    tall = detector.detect(Image.new("RGB", (50, 100)), ["red"])
    np.testing.assert_allclose(tall.boxes, [[10, 20, 50, 60], [20, 40, 30, 90], [0, 60, 50, 90]], atol=1e-4)


def test_one_pixel_and_many_labels_and_none() -> None:
    encoder = Planted(SQUASH, [(0, 0, 1, 1, "red", 8)])
    detector = RegionDetector(encoder)
    assert detector.detect(Image.new("RGB", (1, 1)), ["red"]).boxes.tolist() == [[0, 0, 1, 1]]
    detector.detect(Image.new("RGB", (1, 1)), ["red"])
    assert encoder.texts == [["red"]]  # once for all pictures
    wrong: dict[str, Any] = {
        "at least one label": [],
        "label 2 of 2 is empty": ["red", " "],
        "at most 1000 labels, got 1001": ["red"] * 1001,
        "a list of labels, got one string": "red",
    }
    for message, labels in wrong.items():
        with pytest.raises(InputError, match=message):
            detector.detect(Image.new("RGB", (1, 1)), labels)


def test_pictures_that_are_cut_off_have_no_boxes_or_masks() -> None:
    cut = ImageSpec(32, "shortest", 36, "bicubic", HALF, HALF)
    with pytest.raises(MissingCapability, match="this model's are shortest"):
        RegionDetector(Planted(cut))
    with pytest.raises(MissingCapability, match="squashed to a square, this model's are corner"):
        MaskSegmenter(Planted(CORNER))


def example() -> Image.Image:
    image = Image.new("RGB", (8, 8))
    image.putpixel((3, 3), (9, 9, 9))
    return image


def test_an_examples_thing_is_that_of_the_most_thinglike_patch() -> None:
    regions = [(0, 0, 0.5, 0.5, "red", 9), (0.5, 0.5, 1, 1, "blue", 9)]
    detector = RegionDetector(Planted(SQUASH, regions, objectness=[-1, 2]))
    found = select(detector.detect_like(Image.new("RGB", (10, 10)), example()), LIKE)
    assert found.boxes.tolist() == [[5, 5, 10, 10]]
    assert found.labels.tolist() == [0]


def test_an_examples_thing_covers_it_and_is_unlike_the_rest() -> None:
    small = [(0.0, 0.0, 0.2, 0.2, "red", 9)] * 6
    large = [(0.02, 0, 1, 1, "red", 9), (0, 0.05, 1, 1, "blue", 9), (0, 0, 0.75, 1, "green", 9)]
    planted = Planted(SQUASH, small + large)
    assert thing(planted.find_regions(None)[0]) == 7  # the third covers less than 0.8 of the best
    with pytest.raises(InputError, match="nothing was found in the example"):
        thing(Planted(SQUASH, [(0.5, 0.5, 0.5, 0.5, "red", 9)]).find_regions(None)[0])


def test_what_overlaps_a_better_box_is_dropped_and_a_plain_example_refused() -> None:
    regions = [(0, 0, 1, 1, "red", 9), (0, 0, 1, 0.6, "red", 10), (0.8, 0.8, 1, 1, "red", 3), (0.7, 0, 1, 1, "blue", 9)]
    detector = RegionDetector(Planted(SQUASH, regions, objectness=[9, 0, 0, 0]))
    found = select(detector.detect_like(Image.new("RGB", (100, 100)), example()), LIKE)
    np.testing.assert_allclose(found.boxes, [[0, 0, 100, 60], [80, 80, 100, 100]], atol=1e-4)
    with pytest.raises(InputError, match="one colour and shows nothing"):
        detector.detect_like(Image.new("RGB", (10, 10)), Image.new("RGB", (9, 9), "grey"))


def test_a_pixel_has_the_label_of_the_highest_mask_above_one_half() -> None:
    left, top = np.full((8, 8), -9.0), np.full((8, 8), -9.0)
    left[:, :4], top[:4] = 3.0, 5.0
    planted = Planted(SQUASH, masks={"red": left, "green": top, "blue": np.full((8, 8), 4.0)})
    picture = Image.new("RGB", (80, 40))
    found = MaskSegmenter(planted).segment(picture, ["red", "green"])
    assert found.mask.shape == (40, 80)
    assert (found.mask[4, 4], found.mask[4, 76], found.mask[36, 4], found.mask[36, 76]) == (1, 1, 0, NONE)
    assert 0.22 < found.shares[0] < 0.28
    np.testing.assert_allclose(found.scores, 1 / (1 + np.exp([-3.0, -5.0])), atol=0.02)
    one = MaskSegmenter(planted, threshold=0.0).segment(picture, ["red"])
    assert (one.mask == 0).all()
    behind = MaskSegmenter(planted, background=["blue"]).segment(picture, ["red", "green"])
    assert (behind.mask[4, 4], behind.mask[36, 4]) == (1, NONE)  # blue is there, and has no label
    for labels in ([], [""], "red"):
        with pytest.raises(InputError, match="at least one label|label 1 of 1 is empty|got one string"):
            MaskSegmenter(planted).segment(picture, labels)
    with pytest.raises(InputError, match="at most 255 labels, got 256"):
        MaskSegmenter(planted).segment(picture, ["red"] * 256)


def test_a_large_picture_and_one_pixel_have_masks_of_their_size() -> None:
    planted = Planted(SQUASH, masks={"red": np.full((8, 8), 1.0)})
    for size in ((3000, 20), (1, 1)):
        found = MaskSegmenter(planted).segment(Image.new("RGB", size), ["red"])
        assert found.mask.shape == size[::-1]
        assert found.shares.tolist() == [1]
