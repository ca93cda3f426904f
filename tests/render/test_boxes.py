"""Boxes are drawn where they are, with their labels, in files of the format that the suffix names."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageColor

from seesay.errors import InputError
from seesay.models.detector import Detections
from seesay.render.boxes import COLOURS, draw_boxes
from seesay.render.drawings import FORMATS, save
from tests.evaluation.test_detection import detections


def test_outlines_are_at_the_edges_of_their_boxes() -> None:
    picture = Image.new("RGB", (200, 120), "white")
    image, unknown = draw_boxes(picture, detections([[40, 30, 180, 110]], [0.8], [1]), ["dog", "cat"])
    pixels = np.asarray(image)
    colour = ImageColor.getrgb(COLOURS[1])
    for x, y in ((40, 109), (179, 109), (179, 30), (110, 109)):
        assert tuple(pixels[y, x]) == colour
    changed = np.argwhere((pixels != 255).any(axis=2))
    assert (changed.min(axis=0).tolist(), changed.max(axis=0).tolist()) == ([30, 40], [109, 179])
    assert (pixels[31:45, 41:80] == 255).all(axis=2).any()  # white letters on the label's ground
    assert unknown == ""
    assert np.asarray(picture).min() == 255  # the picture itself is as it was


def test_without_boxes_a_picture_stays_as_it_is() -> None:
    picture = Image.new("RGB", (20, 10), "white")
    assert draw_boxes(picture, Detections.none(), ["dog"])[0].tobytes() == picture.tobytes()


@pytest.mark.parametrize("size", [(1, 1), (30, 8), (8, 600)])
def test_labels_larger_than_the_picture(size: tuple[int, int]) -> None:
    whole = detections([[0, 0, *size]], [1.0], [0])
    image, _ = draw_boxes(Image.new("RGB", size), whole, ["a label that is much longer than the picture is wide"])
    assert image.size == size


def test_letters_that_no_font_has_are_named() -> None:
    _, unknown = draw_boxes(Image.new("RGB", (90, 90)), detections([[0, 0, 9, 9]], [1.0], [0]), ["dog \U0010fffd"])
    assert unknown == "\U0010fffd"


def test_files_have_the_format_of_their_suffix(tmp_path: Path) -> None:
    image = Image.new("RGB", (20, 10), "red")
    for suffix, form in FORMATS.items():
        save(image, tmp_path / "new" / f"a{suffix.upper()}")
        with Image.open(tmp_path / "new" / f"a{suffix.upper()}") as opened:
            assert (opened.format, opened.size) == (form, (20, 10))
    with pytest.raises(InputError, match=r"ends in \.png, \.jpg"):
        save(image, tmp_path / "a.gif")
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="cannot write the picture"):
        save(image, tmp_path / "file" / "a.png")
