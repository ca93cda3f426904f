"""Damaged pictures of every kind that is read: each becomes a picture or one of our errors, and never ends a run.

300; with --soak 10,000 (`make soak`), seeded.
"""

import io
import random
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from seesay.errors import UnreadableImage
from seesay.images.read import read
from seesay.library import Library
from seesay.model import Model

SIZE = 96, 80
FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "GIF", "BMP", "TIFF", "JPEG2000", "PPM")
SUFFIXES = {"JPEG": "jpg", "JPEG2000": "jp2"}


def originals() -> dict[str, bytes]:
    """A picture with details, an EXIF and, where the format can, more than one frame, in each format that is read and
    written here."""
    levels = np.random.default_rng(0).integers(0, 255, (SIZE[1] // 8, SIZE[0] // 8, 3), dtype=np.uint8)
    image = Image.fromarray(levels).resize(SIZE, Image.Resampling.BICUBIC)
    exif = Image.Exif()
    exif[0x0112], exif[0x0132], exif[0x010F] = 6, "2024:05:17 18:30:05", "Maker"
    exif.get_ifd(0x8769)[0x9003] = "2024:05:17 18:30:05"
    exif.get_ifd(0x8825).update({1: "N", 2: (52.0, 31.0, 12.0), 3: "E", 4: (13.0, 24.0, 18.0)})
    made: dict[str, bytes] = {}
    Image.init()
    for kind in FORMATS:
        if kind not in Image.SAVE:
            continue
        many = {"save_all": True, "append_images": [image.rotate(90), image.rotate(180)]} if kind in Image.SAVE_ALL else {}
        for how, more in (("", {}), ("-exif", {"exif": exif.tobytes()}), ("-frames", many)):
            stream = io.BytesIO()
            image.save(stream, kind, **more)
            made[kind + how] = stream.getvalue()
    assert len(made) >= 12
    return made


def mutated(count: int) -> Iterator[tuple[str, bytes]]:
    """Names and bytes: bits turned, numbers made large, pieces cut out, doubled, exchanged with another picture's."""
    rng, whole = random.Random(7), originals()
    names = list(whole)
    for number in range(count):
        name = names[number % len(names)]
        data = bytearray(whole[name])
        for _ in range(rng.choice((1, 1, 2, 5, 30))):
            at = rng.randrange(len(data)) if rng.random() < 0.5 else rng.randrange(min(len(data), 400))
            size = rng.choice((1, 2, 4, 16, 200))
            how = rng.randrange(6)
            if how == 0:
                data[at] ^= 1 << rng.randrange(8)
            elif how == 1:
                data[at : at + 4] = rng.choice((b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\0\0\0\0", b"\xff\xff\xff\x7f"))
            elif how == 2:
                del data[at : at + size]
            elif how == 3:
                data[at:at] = data[at : at + size]
            elif how == 4:
                other = whole[rng.choice(names)]
                data[at : at + size] = other[at : at + size]
            else:
                del data[max(at, 16) :]
            if not data:
                data = bytearray(b"\0")
        yield f"{number:05}-{name}", bytes(data)


def test_a_damaged_picture_is_a_picture_or_our_error(soak: bool) -> None:
    pictures, errors = 0, list[str]()
    for name, data in mutated(10_000 if soak else 300):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            try:
                picture = read(data, name=name)
            except UnreadableImage as error:
                errors.append(str(error))
                continue
        assert picture.image.mode == "RGB"
        assert picture.width * picture.height > 0
        pictures += 1
    print(f"{pictures} pictures, {len(errors)} errors")
    assert pictures > 0
    assert errors
    assert [error for error in errors if not error.isprintable() or len(error) > 400] == []


def test_none_of_them_ends_a_run(tmp_path: Path, fake: Model, soak: bool) -> None:
    pictures, count = tmp_path / "pictures", 2000 if soak else 120
    pictures.mkdir()
    contents = set()
    for name, data in mutated(count):
        kind = name.split("-")[1]
        (pictures / f"{name}.{SUFFIXES.get(kind, kind.lower())}").write_bytes(data)
        contents.add(data)
    with Library(tmp_path / "library", fake) as library:
        report = library.index(pictures)
        assert report.encoded + report.unchanged + len(report.failed) >= len(contents)
        assert report.encoded > 0
        assert report.failed
        again = library.index(pictures)
        assert again.encoded == 0
