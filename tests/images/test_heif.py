"""Phone pictures: HEIC by an optional library, AVIF by Pillow. The files in data/ were made of `scene(96, 64)`."""

from pathlib import Path

import pytest
from PIL import Image

from seesay.errors import UnreadableImage
from seesay.images.decoding import formats
from seesay.images.decoding.decode import DecodeOptions, decode_picture
from seesay.images.decoding.formats import heif, is_read, passed_over
from seesay.images.decoding.headers import format_of
from seesay.images.decoding.memory import DECODING
from seesay.images.metadata import Metadata
from seesay.images.read import read
from tests.images.files import BLACK, alike, encode, scene

DATA = Path(__file__).parent / "data"
needs_heif = pytest.mark.skipif(heif() is None, reason="no wheel of pi-heif-decoder for this machine")


@needs_heif
def test_a_heic_is_turned_by_its_container_and_not_again_by_its_exif() -> None:
    found = read(DATA / "turned-by-its-container.heic")  # its EXIF says that it is to be turned
    assert (found.width, found.height, found.image.size) == (96, 64, (96, 64))
    assert found.metadata == Metadata(1, "2007-02-19T10:20:30", "Canon")
    assert alike(found.image, scene(96, 64)) > 0.99


@needs_heif
def test_a_heic_of_several_pictures_shows_the_one_that_it_says() -> None:
    assert alike(read(DATA / "second-picture-is-shown.heic").image, scene(96, 64)) > 0.99


@needs_heif
def test_every_prefix_of_a_heic_is_a_picture_or_one_clear_error() -> None:
    data = (DATA / "turned-by-its-container.heic").read_bytes()
    for end in range(40, len(data), 60):
        with pytest.raises(UnreadableImage, match="is damaged or cut short"):
            read(data[:end])
    assert is_read(".heic")
    assert passed_over(".heic") is None


def test_a_library_with_known_faults_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats, "LIBHEIF", (999,))
    heif.cache_clear()
    try:
        assert not is_read(".heic")
        assert passed_over(".heic") == "HEIC picture"
        with pytest.raises(UnreadableImage, match="is a HEIC picture; read with: pip install pi-heif-decoder") as caught:
            decode_picture((DATA / "turned-by-its-container.heic").read_bytes(), "a", DecodeOptions(), DECODING.reserve)
        assert caught.value.transient  # it can be read as soon as the library is there
    finally:
        heif.cache_clear()


def test_brands_tell_what_a_container_holds() -> None:
    assert format_of((DATA / "second-picture-is-shown.heic").read_bytes()) == "HEIF"
    assert format_of(b"\0\0\0\x1cftypmsf1\0\0\0\0msf1hevciso8") == "HEIF"
    assert format_of(b"\0\0\0\x18ftypmif1\0\0\0\0avifmif1") == "AVIF"
    assert format_of(b"\0\0\0\x14ftypqt  \0\0\0\0qt  ") is None


def test_an_avif_sequence_is_shown_by_a_frame_that_shows_something() -> None:
    data = encode(BLACK, "AVIF", save_all=True, append_images=[scene(), scene()], duration=100)
    assert alike(read(data).image, scene()) > 0.9


def test_an_avif_that_lies_on_its_side_is_turned() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    found = read(encode(scene().rotate(90, expand=True), "AVIF", exif=exif))
    assert (found.width, found.height) == (160, 104)
    assert alike(found.image, scene()) > 0.95
