"""Reading pictures: every format, every mode, and every kind of bad file with its message."""

import io
import random
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seesay.errors import InputError, UnreadableImage
from seesay.images.decoding import decode as module
from seesay.images.read import read
from seesay.system.paths import printable
from tests.conftest import Paint, is_root
from tests.images.files import TURNED, encode


def gradient() -> Image.Image:
    y, x = np.mgrid[0:40, 0:60]
    return Image.fromarray(np.stack([x * 4, y * 6, 255 - x * 4], axis=-1).astype(np.uint8))


@pytest.mark.parametrize(
    ("format", "tolerance"), [("JPEG", 40), ("PNG", 0), ("WEBP", 40), ("AVIF", 40), ("GIF", 60), ("BMP", 0), ("TIFF", 0)]
)
def test_reads_format(format: str, tolerance: int) -> None:
    picture = read(encode(gradient(), format))
    assert picture.image.mode == "RGB"
    assert (picture.width, picture.height) == (60, 40)
    difference = np.abs(np.asarray(picture.image, dtype=int) - np.asarray(gradient(), dtype=int))
    assert difference.max() <= tolerance


def test_gif_gives_its_first_frame() -> None:
    frames = [Image.new("RGB", (20, 20), colour) for colour in ("red", "blue")]
    data = encode(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert read(data).image.getpixel((5, 5)) == (255, 0, 0)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    upright = gradient()
    turn = TURNED.get(orientation)
    stored = upright.transpose(turn) if turn is not None else upright
    picture = read(encode(stored, "PNG", exif=exif))
    assert (picture.width, picture.height) == (60, 40)
    np.testing.assert_array_equal(np.asarray(picture.image), np.asarray(upright))


def test_cmyk_jpeg_becomes_rgb() -> None:
    picture = read(encode(Image.new("CMYK", (30, 30), (0, 255, 255, 0)), "JPEG"))
    red, green, blue = picture.image.getpixel((15, 15))
    assert red > 200
    assert max(green, blue) < 60


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_sixteen_bit_grey_keeps_its_levels(format: str) -> None:
    levels = np.linspace(0, 65535, 64, dtype=np.uint16).reshape(8, 8)
    got = np.asarray(read(encode(Image.fromarray(levels), format)).image)[..., 0]
    np.testing.assert_allclose(got, levels / 257, atol=0.51)


def test_float_tiff_is_taken_as_zero_to_one() -> None:
    got = np.asarray(read(encode(Image.fromarray(np.full((8, 8), 0.5, dtype=np.float32)), "TIFF")).image)
    assert abs(int(got[0, 0, 0]) - 128) <= 1


def test_grey_and_one_bit_pictures_become_rgb() -> None:
    assert read(encode(Image.new("L", (9, 9), 77), "PNG")).image.getpixel((1, 1)) == (77, 77, 77)
    assert read(encode(Image.new("1", (9, 9), 1), "PNG")).image.getpixel((1, 1)) == (255, 255, 255)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparent_parts_lie_on_white_or_are_dropped(mode: str) -> None:
    image = Image.new("RGBA", (10, 10), (0, 0, 0, 0))
    data = encode(image.convert(mode), "PNG", **({"transparency": 0} if mode == "P" else {}))
    assert read(data, alpha="white").image.getpixel((4, 4)) == (255, 255, 255)
    assert read(data, alpha="drop").image.getpixel((4, 4)) == (0, 0, 0)


def test_palette_picture_with_alpha_keeps_its_opaque_colours() -> None:
    image = Image.new("RGBA", (10, 10), (200, 30, 30, 255))
    image.paste((0, 0, 0, 0), (0, 0, 5, 10))
    data = encode(image.quantize(8), "PNG")
    picture = read(data).image
    assert picture.getpixel((1, 5)) == (255, 255, 255)
    assert np.allclose(picture.getpixel((8, 5)), (200, 30, 30), atol=8)


def test_accepts_paths_bytes_images_and_arrays(paint: Paint) -> None:
    path = paint("a.png", "blue")
    array = np.asarray(Image.open(path))
    for source in (path, str(path), path.read_bytes(), Image.open(path), array):
        np.testing.assert_array_equal(np.asarray(read(source).image), array)


@pytest.mark.parametrize(
    "array", [np.zeros((4, 4)), np.zeros((4, 4, 3)), np.zeros((3, 4, 4), np.uint8), np.zeros((4, 4, 4), np.uint8)]
)
def test_wrong_arrays_are_explained(array: np.ndarray) -> None:
    with pytest.raises(InputError, match=r"expected a uint8 array \(height, width, 3\), got"):
        read(array)


def test_wrong_types_are_explained() -> None:
    with pytest.raises(InputError, match="expected a path, a URL, bytes, a PIL image or a uint8 array.*got int"):
        read(3)  # type: ignore[arg-type]


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds no such data: a bomb, or a liar."""
    body = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in ((b"IHDR", body), (b"IDAT", zlib.compress(b"\0" * 100)), (b"IEND", b""))
    )
    return b"\x89PNG\r\n\x1a\n" + chunks


def bad_files(folder: Path) -> dict[str, tuple[Path, str]]:
    def write(name: str, data: bytes) -> Path:
        path = folder / name
        path.write_bytes(data)
        return path

    jpeg = encode(gradient().resize((400, 300)), "JPEG")
    (folder / "folder.jpg").mkdir()
    return {
        "missing file": (folder / "none.jpg", "none.jpg: no such file"),
        "directory for a file": (folder / "folder.jpg", "is a folder, not a picture"),
        "zero bytes": (write("empty.jpg", b""), r"is empty \(0 bytes\)"),
        "truncated": (write("cut.jpg", jpeg[: len(jpeg) // 2]), "is damaged or cut short"),
        "text named .jpg": (
            write("notes.jpg", b"Dear diary,"),
            r"is not a picture that SeeSay reads \(JPEG, PNG, .*PNM\)$",
        ),
        "bomb": (
            write("bomb.png", png_header(30000, 30000)),
            "more than 179 million pixels|is 30000 x 30000 = 900 million pixels",
        ),
        "liar": (write("liar.png", png_header(2000, 2000)), "is damaged or cut short"),
        "video": (write("film.jpg", b"\0\0\0\x18ftypqt  " + b"\0" * 64), "is a video, which is not read"),
        "postscript": (
            write("a.jpg", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"),
            "is not a picture that SeeSay reads",
        ),
    }


@pytest.mark.parametrize(
    "case",
    [
        "missing file",
        "directory for a file",
        "zero bytes",
        "truncated",
        "text named .jpg",
        "bomb",
        "liar",
        "video",
        "postscript",
    ],
)
def test_bad_file_is_one_clear_error(case: str, tmp_path: Path) -> None:
    path, message = bad_files(tmp_path)[case]
    with pytest.raises(UnreadableImage, match=message) as caught:
        read(path)
    assert path.name in str(caught.value)


def test_bytes_get_a_name_in_messages() -> None:
    with pytest.raises(UnreadableImage, match="^upload 3: is empty"):
        read(b"", name="upload 3")


@pytest.mark.skipif(is_root(), reason="root may read everything")
def test_no_permission_is_a_passing_fault(paint: Paint) -> None:
    path = paint("secret.png")
    path.chmod(0)
    with pytest.raises(UnreadableImage, match="no permission to read it") as caught:
        read(path)
    assert caught.value.transient


def test_no_permission_is_told_from_the_system_error(paint: Paint, monkeypatch: pytest.MonkeyPatch) -> None:
    path = paint("secret.png")

    def refuse(self: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(UnreadableImage, match=r"secret\.png: no permission to read it") as caught:
        read(path)
    assert caught.value.transient


def test_too_many_bytes_are_refused_before_decoding(paint: Paint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_BYTES", 50)
    with pytest.raises(UnreadableImage, match="at most 0 MB are read"):
        read(paint("big.png"))


def test_one_pixel_is_a_picture() -> None:
    assert read(encode(Image.new("RGB", (1, 1), "red"), "PNG")).image.size == (1, 1)


def test_a_name_that_is_not_utf8_is_readable_and_printable(tmp_path: Path) -> None:
    path = Path(str(tmp_path) + "/caf\udce9.png")
    Image.new("RGB", (5, 5)).save(path)
    assert read(path).width == 5
    assert printable(path).endswith("caf\\xe9.png")
    assert printable("a\x1b[31m\nb 海.png") == "a\\x1b[31m\\nb 海.png"


def test_fast_decode_is_smaller_and_keeps_the_original_size() -> None:
    data = encode(gradient().resize((2400, 1600), Image.Resampling.BICUBIC), "JPEG", quality=95)
    exact, fast = read(data), read(data, decode="fast", enough_px=260)
    assert exact.image.size == (2400, 1600)
    assert fast.image.size == (1200, 800)  # half: a quarter would be 600 x 400, less than twice 260 high
    assert (fast.width, fast.height) == (2400, 1600)
    a, b = (np.asarray(p.image.resize((300, 200), Image.Resampling.BOX), dtype=float) for p in (exact, fast))
    assert np.abs(a - b).mean() < 2


def test_exif_facts_are_read(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010F], exif[0x0110] = "Canon", "Canon EOS 5D"
    exif.get_ifd(0x8769)[0x9003] = "2024:05:17 18:30:05"
    exif.get_ifd(0x8825).update({1: "S", 2: (33.0, 51.0, 36.0), 3: "E", 4: (151.0, 12.0, 36.0)})
    found = read(encode(gradient(), "JPEG", exif=exif)).metadata
    assert (found.camera, found.taken_at) == ("Canon EOS 5D", "2024-05-17T18:30:05")
    assert found.latitude == pytest.approx(-33.86)
    assert found.longitude == pytest.approx(151.21)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data:UserWarning")  # Pillow's, where the picture is opened
def test_damaged_exif_costs_only_the_facts() -> None:
    data = encode(gradient(), "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + b"\xff" * 40)
    picture = read(data)
    assert picture.width == 60
    assert picture.metadata.taken_at is None


@pytest.mark.parametrize("kind", ["PNG", "GIF", "BMP", "JPEG", "TIFF"])
def test_reasons_never_quote_what_is_in_a_file(kind: str) -> None:
    stream = io.BytesIO()
    Image.new("RGB", (40, 40), "red").save(stream, kind)
    whole, rng, reasons = stream.getvalue(), random.Random(0), set[str]()
    for _ in range(150):
        damaged = bytearray(whole)
        at = rng.randrange(min(len(damaged), 200))
        damaged[at : at + 6] = b"SeCrEt"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                read(bytes(damaged[: rng.randint(len(damaged) // 2, len(damaged))]))
            except UnreadableImage as fault:
                reasons.add(fault.reason)
    assert reasons
    assert not [reason for reason in reasons if "ecr" in reason.lower() or "b'" in reason or not reason.isprintable()]
