"""Thumbnails: their size, their form, and what becomes of pictures that cannot be read."""

import base64
import io
from pathlib import Path

import pytest
from PIL import Image

from seesay.errors import UnreadableImage
from seesay.images.thumbnail import thumbnail, thumbnail_jpeg, thumbnail_url, thumbnails
from tests.images.files import encode, scene


def test_the_longer_side_has_at_most_so_many_pixels() -> None:
    assert thumbnail(encode(scene(640, 416), "JPEG"), 160).size == (160, 104)
    small = thumbnail(encode(scene(64, 40).convert("RGBA"), "PNG"), 160)
    assert (small.size, small.mode) == ((64, 40), "RGB")  # never enlarged


def test_a_thumbnail_is_upright() -> None:
    tags = Image.Exif()
    tags[0x0112] = 6
    assert thumbnail(encode(scene(640, 416), "JPEG", exif=tags), 160).size == (104, 160)


def test_forms_of_one_thumbnail() -> None:
    data = encode(scene(640, 416), "JPEG")
    jpeg = thumbnail_jpeg(data, 160)
    with Image.open(io.BytesIO(jpeg)) as image:
        assert (image.format, image.size) == ("JPEG", (160, 104))
    assert thumbnail_url(data, 160) == "data:image/jpeg;base64," + base64.b64encode(jpeg).decode()
    with Image.open(io.BytesIO(thumbnail_jpeg(data, 160, progressive=True))) as image:
        assert image.info["progressive"]


def test_a_picture_that_cannot_be_read_is_an_error_or_absent(tmp_path: Path) -> None:
    with pytest.raises(UnreadableImage, match="a.jpg"):
        thumbnail_jpeg(tmp_path / "1.jpg", 160, name="a.jpg")
    assert thumbnail_url(tmp_path / "1.jpg") == ""
    (tmp_path / "2.png").write_bytes(encode(scene(64, 40), "PNG"))
    steps = []
    images = list(thumbnails([tmp_path / "1.jpg", tmp_path / "2.png"], 32, lambda *step: steps.append(step)))
    assert [image and image.size for image in images] == [None, (32, 20)]
    assert steps == [(1, 2), (2, 2)]
