"""Damaged files with good pixels; colours, frames and bit depths as a viewer shows them."""

import io
import struct
import zlib
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngInfo

from seesay.errors import UnreadableImage
from seesay.images.decoding import jpeg, png
from seesay.images.decoding.decode import CUT_SHORT, MAX_SCANS, MAX_STRIPS, Picture, to_rgb
from seesay.images.decoding.levels import to_8_bits
from seesay.images.preprocess import load_pixels
from seesay.images.read import read
from seesay.images.spec import ImageSpec
from tests.images.files import BLACK, TURNED, alike, encode, profile, scene

# Sides


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "jpeg"])
def test_a_tiff_is_turned_once_whoever_opens_it(orientation: int, compression: str) -> None:
    stored = scene() if orientation == 1 else scene().transpose(TURNED[orientation])
    data = encode(stored, "TIFF", tiffinfo={0x0112: orientation}, compression=compression)
    loaded = Image.open(io.BytesIO(data))
    loaded.load()
    for source in (data, Image.open(io.BytesIO(data)), loaded):
        found = read(source)
        assert (found.width, found.height, found.image.size) == (160, 104, (160, 104))
        assert alike(found.image, scene()) > 0.98


def test_a_tiff_whose_orientation_is_a_byte_is_turned_too() -> None:
    data = bytearray(encode(scene().transpose(TURNED[6]), "TIFF", tiffinfo={0x0112: 6}))
    at = data.index(struct.pack("<HHI", 0x0112, 3, 1))
    data[at : at + 12] = struct.pack("<HHI", 0x0112, 1, 1) + b"\6\0\0\0"
    found = read(bytes(data))
    assert (found.width, found.height) == (160, 104)
    assert alike(found.image, scene()) > 0.98


# Damage


def without_end(data: bytes) -> bytes:
    return data[:-2]


def with_segment(data: bytes, body: bytes) -> bytes:
    """A JPEG with a segment of colour profiles."""
    return data[:2] + b"\xff\xe2" + struct.pack(">H", len(body) + 2) + body + data[2:]


def test_a_jpeg_with_a_damaged_profile_is_read() -> None:
    found = read(with_segment(encode(scene(), "JPEG", quality=90), b"ICC_PROFILE\0"))
    assert found.note is None
    assert alike(found.image, scene()) > 0.99


@pytest.mark.parametrize("options", [{}, {"progressive": True}])
def test_a_jpeg_without_its_end_is_read_with_a_note(options: dict[str, object]) -> None:
    found = read(without_end(encode(scene(), "JPEG", quality=90, **options)))
    assert found.note == CUT_SHORT
    assert (found.width, found.height) == (160, 104)
    assert alike(found.image, scene()) > 0.99


@pytest.mark.parametrize(("kept", "read_"), [(0.95, True), (0.7, True), (0.3, False), (0.1, False)])
def test_a_jpeg_is_shown_where_half_of_its_rows_are_there(kept: float, read_: bool) -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (400, 300, 3), dtype=np.uint8))
    data = encode(noise, "JPEG", quality=90)
    cut = data[: int(len(data) * kept)]
    if read_:
        assert read(cut).note == CUT_SHORT
    else:
        with pytest.raises(UnreadableImage, match=r"is damaged or cut short \(less than half of it is there\)"):
            read(cut)


def test_a_progressive_jpeg_is_whole_after_half_of_its_bytes() -> None:
    data = encode(scene(640, 416), "JPEG", quality=95, progressive=True)
    found = read(data[: len(data) // 2])
    assert found.note == CUT_SHORT
    assert alike(found.image, scene(640, 416)) > 0.95


def test_a_cut_jpeg_that_lies_on_its_side_is_turned() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    found = read(without_end(encode(scene(), "JPEG", exif=exif)))
    assert (found.width, found.height, found.note) == (104, 160, CUT_SHORT)


def chunks_of(data: bytes) -> list[tuple[bytes, bytes]]:
    return [(kind, body) for kind, body, _ in png.chunks(data)]


def png_of(chunks: Iterator[tuple[bytes, bytes]] | list[tuple[bytes, bytes]], wrong: bytes = b"") -> bytes:
    """A PNG; the check sum of chunks of the type `wrong` is."""
    found = b"\x89PNG\r\n\x1a\n"
    for kind, body in chunks:
        made = bytearray(png.chunk(kind, body))
        made[-1] ^= kind == wrong
        found += made
    return found


def with_chunk(kind: bytes, body: bytes, wrong: bytes = b"") -> bytes:
    first, *rest = chunks_of(encode(scene(), "PNG"))
    return png_of([first, (kind, body), *rest], wrong)


BOMB = zlib.compress(bytes(3_000_000))


@pytest.mark.parametrize(
    "data",
    [
        with_chunk(b"pHYs", struct.pack(">IIB", 1, 1, 1), wrong=b"pHYs"),
        with_chunk(b"tEXt", b"Comment\0hello", wrong=b"tEXt"),
        with_chunk(b"pHYs", b"\0\1"),
        with_chunk(b"sRGB", b""),
        with_chunk(b"gAMA", b"\0"),
        with_chunk(b"cHRM", b"\0" * 7),
        with_chunk(b"zTXt", b"Comment\0\0" + BOMB),
        with_chunk(b"iTXt", b"Comment\0\1\0\0\0" + BOMB),
        with_chunk(b"iCCP", b"x\0\0" + BOMB),
        with_chunk(b"iCCP", b"x\0\0" + b"not packed"),
        with_chunk(b"eXIf", b"II*\0", wrong=b"eXIf"),
        png_of(chunks_of(encode(scene(), "PNG")), wrong=b"IDAT"),
        png_of(chunks_of(encode(scene(), "PNG"))[:-1]),
    ],
)
def test_a_png_needs_its_pixels_only(data: bytes) -> None:
    found = read(data)
    assert found.note is None
    np.testing.assert_array_equal(np.asarray(found.image), np.asarray(scene()))


def test_the_facts_of_a_damaged_png_stay() -> None:
    info = PngInfo()
    info.add_text("Creation Time", "2007-02-19T10:20:30")
    first, *rest = chunks_of(encode(scene(), "PNG", pnginfo=info))
    assert read(png_of([first, (b"pHYs", b"\0"), *rest])).metadata.taken_at == "2007-02-19T10:20:30"


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "RGBA", "I;16", "1"])
def test_a_cut_png_is_shown_where_half_of_its_rows_are_there(mode: str) -> None:
    grey = np.random.default_rng(0).integers(0, 256, (104, 160), dtype=np.uint16) * 257
    image = Image.fromarray(grey) if mode == "I;16" else Image.fromarray((grey >> 8).astype(np.uint8)).convert(mode)
    data = encode(image, "PNG")
    whole, found = read(data), read(data[: int(len(data) * 0.8)])
    assert found.note == CUT_SHORT
    np.testing.assert_array_equal(np.asarray(found.image)[:60], np.asarray(whole.image)[:60])
    with pytest.raises(UnreadableImage, match="is damaged or cut short"):
        read(data[: int(len(data) * 0.3)])


def test_every_prefix_of_a_file_is_a_picture_or_one_clear_error() -> None:
    for format in ("JPEG", "PNG", "WEBP", "GIF", "BMP"):
        data = encode(scene(40, 26), format)
        for end in range(1, len(data), max(1, len(data) // 60)):
            try:
                found: Picture | str = read(data[:end])
            except UnreadableImage as fault:
                found = fault.reason
            reasons = ("is damaged or cut short", "is not a picture")
            assert found.startswith(reasons) if isinstance(found, str) else found.image.mode == "RGB"


# Colours


SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


@pytest.mark.parametrize("name", ["Adobe RGB", "Display P3", "ProPhoto"])
@pytest.mark.parametrize("format", ["PNG", "TIFF", "WEBP"])
def test_a_profile_is_turned_into_srgb(name: str, format: str) -> None:
    muted = Image.blend(scene(), Image.new("RGB", scene().size, (120, 120, 120)), 0.7)  # inside every space
    opened = ImageCms.ImageCmsProfile(io.BytesIO(profile(name)))
    stored = ImageCms.profileToProfile(muted, ImageCms.createProfile("sRGB"), opened, outputMode="RGB")
    assert stored is not None
    lossless = {"lossless": True} if format == "WEBP" else {}
    found = read(encode(stored, format, icc_profile=profile(name), **lossless)).image
    assert np.abs(np.asarray(stored, dtype=int) - np.asarray(muted, dtype=int)).mean() > 2
    assert np.abs(np.asarray(found, dtype=int) - np.asarray(muted, dtype=int)).max() <= 4


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_a_tower_sees_the_colours_of_the_profile(format: str) -> None:
    muted = Image.blend(scene(640, 416), Image.new("RGB", (640, 416), (120, 120, 120)), 0.7)
    opened = ImageCms.ImageCmsProfile(io.BytesIO(profile("ProPhoto")))
    stored = ImageCms.profileToProfile(muted, ImageCms.createProfile("sRGB"), opened, outputMode="RGB")
    assert stored is not None
    spec = ImageSpec(64, "shortest", 64, "bicubic", (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    meant = load_pixels(encode(muted, format), spec)[0]
    seen, found = load_pixels(encode(stored, format, icc_profile=profile("ProPhoto")), spec)
    assert (found.profile is not None) == (format == "PNG")  # a TIFF comes from its process in sRGB
    assert np.abs(seen - meant).max() < 0.05
    assert np.abs(seen - meant).mean() < 0.006
    without = Image.fromarray(np.asarray(stored))
    assert np.abs(load_pixels(encode(without, format), spec)[0] - meant).mean() > 0.02


@pytest.mark.parametrize(
    "bad",
    [b"", SRGB[:100], b"\0" * 200, SRGB[:16] + b"Lab " + SRGB[20:], SRGB[:200]],
    ids=["empty", "cut in its header", "zeros", "of Lab", "cut in its tags"],  # bytes would name the time of their making
)
def test_an_srgb_profile_and_one_that_is_none_change_nothing(bad: bytes) -> None:
    for used in (SRGB, bad):
        np.testing.assert_array_equal(np.asarray(read(encode(scene(), "PNG", icc_profile=used)).image), np.asarray(scene()))


def test_alpha_and_grey_have_profiles_too() -> None:
    clear = scene().convert("RGBA")
    clear.putalpha(Image.linear_gradient("L").resize(clear.size))
    found = read(encode(clear, "PNG", icc_profile=profile("Display P3"))).image
    plain = read(encode(clear, "PNG")).image
    assert min(*found.getpixel((80, 0)), *plain.getpixel((80, 0))) >= 254  # where white shows through
    assert 1 < np.abs(np.asarray(found, dtype=int) - np.asarray(plain, dtype=int)).mean() < 40
    assert read(encode(scene().convert("L"), "PNG", icc_profile=SRGB)).image.getpixel((9, 9)) is not None


def test_a_pil_image_keeps_its_values_as_clips_own_preprocessing_leaves_them() -> None:
    opened = Image.open(io.BytesIO(encode(scene(), "PNG", icc_profile=profile("Display P3"))))
    np.testing.assert_array_equal(np.asarray(read(opened).image), np.asarray(scene()))


# Frames


@pytest.mark.parametrize("format", ["GIF", "PNG", "WEBP"])
def test_the_first_frame_that_shows_something_stands_for_a_moving_picture(format: str) -> None:
    options: dict[str, object] = {"save_all": True, "duration": 100} | ({"lossless": True} if format == "WEBP" else {})
    moving = encode(BLACK, format, append_images=[BLACK, scene(), scene().rotate(180)], **options)
    for _ in range(2):
        assert alike(read(moving).image, scene()) > 0.9
    shown = encode(scene(), format, append_images=[scene().rotate(180)], **options)
    assert alike(read(shown).image, scene()) > 0.9
    assert read(encode(BLACK, format, append_images=[BLACK], **options)).image.getpixel((5, 5)) == (0, 0, 0)


def test_the_default_picture_of_an_apng_is_passed_over_where_it_is_black() -> None:
    data = encode(BLACK, "PNG", save_all=True, default_image=True, append_images=[scene(), scene()])
    assert alike(read(data).image, scene()) > 0.98


def test_a_still_picture_of_one_colour_is_what_it_is() -> None:
    assert read(encode(BLACK, "GIF")).image.getpixel((5, 5)) == (0, 0, 0)


# Depths

LEVELS = np.linspace(0, 1, 80 * 52, dtype=np.float32).reshape(52, 80)


def grey(values: np.ndarray, format: str = "TIFF", **options: object) -> np.ndarray:
    return np.asarray(read(encode(Image.fromarray(values), format, **options)).image)[..., 0]


@pytest.mark.parametrize(
    "values",
    [
        LEVELS,
        LEVELS * 255,
        LEVELS * 1000 - 300,
        LEVELS * 1.0001,
        np.where(np.arange(80) == 40, np.nan, LEVELS),
        np.where(np.arange(80) == 40, np.inf, LEVELS),
    ],
)
def test_a_float_picture_is_recognised_whatever_its_scale(values: np.ndarray) -> None:
    there = np.isfinite(values)
    np.testing.assert_allclose(grey(values.astype(np.float32))[there], (LEVELS * 255)[there], atol=1.5)


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
@pytest.mark.parametrize("format", ["TIFF", "PNG"])
def test_sixteen_bits_that_hold_fewer_are_recognised(bits: int, format: str) -> None:
    values = (LEVELS * (2**bits - 1)).astype(np.uint16)
    np.testing.assert_allclose(grey(values, format), LEVELS * 255, atol=2)


def test_white_may_be_zero() -> None:
    values = (LEVELS * 65535).astype(np.uint16)
    np.testing.assert_allclose(grey(65535 - values, tiffinfo={262: 0}), LEVELS * 255, atol=2)


def test_a_tiff_of_twelve_packed_bits_is_as_bright_as_it_was() -> None:
    values = (LEVELS * 2000).astype(np.uint16).ravel()  # not all of the 12 bits: the file says how many there are
    pairs = values.reshape(-1, 2).astype(np.uint32)
    packed = (pairs[:, 0] << 12 | pairs[:, 1]).astype(">u4").view(np.uint8).reshape(-1, 4)[:, 1:].tobytes()
    entries = [(256, 80), (257, 52), (258, 12), (259, 1), (262, 1), (273, 8), (277, 1), (278, 52), (279, len(packed))]
    table = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in entries)
    data = b"II*\0" + struct.pack("<I", 8 + len(packed)) + packed + struct.pack("<H", len(entries)) + table + bytes(4)
    found = np.asarray(read(data).image)[..., 0]
    np.testing.assert_allclose(found, (LEVELS * 2000 / 4095 * 255), atol=1.5)


def test_strips_of_a_wide_picture_are_scaled_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    image = Image.fromarray((LEVELS * 3000).astype(np.float32))
    whole = np.asarray(to_8_bits(image))
    monkeypatch.setattr("seesay.images.decoding.strips.STRIP", 100)
    np.testing.assert_array_equal(np.asarray(to_8_bits(image)), whole)


def test_strips_on_white_are_those_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    clear = scene().convert("RGBA")
    clear.putalpha(Image.linear_gradient("L").resize(clear.size))
    whole = Image.alpha_composite(Image.new("RGBA", clear.size, "white"), clear).convert("RGB")
    monkeypatch.setattr("seesay.images.decoding.strips.STRIP", 1000)
    np.testing.assert_array_equal(np.asarray(to_rgb(clear, "white")), np.asarray(whole))


def test_a_bmp_whose_alpha_is_all_zero_is_opaque() -> None:
    pixels = np.asarray(scene().convert("RGBA")).copy()
    pixels[..., 3] = 0
    body = pixels[::-1, :, [2, 1, 0, 3]].tobytes()
    masks = struct.pack("<4I", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    info = struct.pack("<IiiHHIIiiII", 124, 160, 104, 1, 32, 3, len(body), 0, 0, 0, 0) + masks
    info = info.ljust(124, b"\0")
    data = b"BM" + struct.pack("<IHHI", 14 + 124 + len(body), 0, 0, 14 + 124) + info + body
    np.testing.assert_array_equal(np.asarray(read(data).image), np.asarray(scene()))


# Formats that people have


@pytest.mark.parametrize("mode", ["1", "L", "RGB"])
@pytest.mark.parametrize("plain", [False, True])
def test_netpbm_pictures_are_read(mode: str, plain: bool) -> None:
    image = scene().convert(mode)
    if plain:
        values = np.asarray(image).reshape(image.height, -1).astype(int)
        magic = {"1": "P1", "L": "P2", "RGB": "P3"}[mode]
        values = 1 - values if mode == "1" else values
        rows = "\n".join(" ".join(map(str, row)) for row in values)
        data = f"{magic}\n# by hand\n{image.width} {image.height}\n{'' if mode == '1' else '255'}\n{rows}\n".encode()
    else:
        data = encode(image, "PPM")
    np.testing.assert_array_equal(np.asarray(read(data).image), np.asarray(image.convert("RGB")))


@pytest.mark.parametrize("options", [{}, {"no_jp2": True}])
def test_jpeg_2000_is_read(options: dict[str, object]) -> None:
    np.testing.assert_array_equal(np.asarray(read(encode(scene(), "JPEG2000", **options)).image), np.asarray(scene()))


# What is made to keep a decoder busy


def test_a_jpeg_of_many_scans_is_refused_before_it_is_decoded() -> None:
    data = encode(scene(), "JPEG", progressive=True)
    at = data.rindex(b"\xff\xda")
    scan = data[at:-2]
    assert read(data[:-2] + scan * 10 + b"\xff\xd9").width == 160
    with pytest.raises(UnreadableImage, match=rf"has 2,0\d\d scans; at most {MAX_SCANS} are decoded"):
        read(data[:-2] + scan * 2000 + b"\xff\xd9")


def test_a_tiff_of_many_strips_is_refused_before_it_is_opened() -> None:
    count = MAX_STRIPS + 1
    entries = [(256, 3, 1, 1), (257, 4, 1, count), (258, 3, 1, 8), (262, 3, 1, 1), (273, 4, count, 8), (279, 4, count, 8)]
    table = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    data = b"II*\0" + struct.pack("<I", 8 + 4 * count) + bytes(4 * count) + struct.pack("<H", len(entries)) + table + bytes(4)
    with pytest.raises(UnreadableImage, match=r"is in 200,001 parts; at most 200,000 are read"):
        read(data)


def test_a_dark_photo_with_a_second_picture_inside_is_itself() -> None:
    data = encode(BLACK, "MPO", save_all=True, append_images=[scene()])
    assert read(data).image.getpixel((5, 5)) == (0, 0, 0)


@pytest.mark.parametrize(
    ("options", "count"),
    [({}, 1), ({"optimize": True}, 1), ({"progressive": True}, 10), ({"progressive": True, "qtables": "web_low"}, 10)],
)
def test_scans_are_counted_where_there_are_several(options: dict[str, object], count: int) -> None:
    data = encode(scene(), "JPEG", **options)
    assert jpeg.scans(data) == count
    assert jpeg.size(data) == scene().size
    assert jpeg.scans(data[:10]) == 0


def test_a_small_copy_inside_a_damaged_jpeg_stays_inside() -> None:
    exif = Image.Exif()
    exif[0x010F] = "Canon"
    small = encode(scene(16, 10), "JPEG")
    data = encode(scene(), "JPEG", quality=90, exif=exif.tobytes() + small)
    found = read(with_segment(data, b"ICC_PROFILE\0"))
    assert (found.width, found.metadata.camera) == (160, "Canon")
    assert alike(found.image, scene()) > 0.99


@pytest.mark.parametrize("where", ["_attempt", "_repairs"])
def test_want_of_memory_is_a_passing_fault_of_this_picture(where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(f"seesay.images.decoding.decode.{where}", fail)
    with pytest.raises(UnreadableImage, match="a: does not fit into memory") as caught:
        read(encode(scene(), "PNG")[:100], name="a")
    assert caught.value.transient


def test_a_reason_does_not_quote_the_file() -> None:
    with pytest.raises(UnreadableImage) as caught:
        read(b"P3\nsecret of mine\n", name="a")
    assert caught.value.reason == "is damaged or cut short"
