"""Dates, places, cameras and orientations as cameras, phones, scanners and editors write them."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from seesay.images.dates import iso
from seesay.images.decoding.png import chunk
from seesay.images.exif import Directories, Tag, number, text
from seesay.images.metadata import Metadata
from seesay.images.read import read

TAKEN = "2007-02-19T10:20:30"
ASCII, BYTE, SHORT, LONG, RATIONAL, UNDEFINED, SIGNED = 2, 1, 3, 4, 5, 7, 10
Entry = tuple[int, int, bytes]  # tag, type, value as stored
SIZES = {ASCII: 1, BYTE: 1, SHORT: 2, LONG: 4, RATIONAL: 8, UNDEFINED: 1, SIGNED: 8}


def directory(entries: list[Entry], at: int) -> bytes:
    """A directory that begins at `at` of its block, little-endian, with the values behind it."""
    place = at + 2 + 12 * len(entries) + 4
    head, values = struct.pack("<H", len(entries)), b""
    for tag, kind, value in sorted(entries):
        count = len(value) // SIZES[kind]
        stored = value.ljust(4, b"\0") if len(value) <= 4 else struct.pack("<I", place + len(values))
        values += value if len(value) > 4 else b""
        head += struct.pack("<HHI", tag, kind, count) + stored
    return head + bytes(4) + values


def block(main: list[Entry], details: list[Entry] | None = None, place: list[Entry] | None = None) -> bytes:
    """An EXIF block as no library would write it: any tag of any type."""
    below = [(pointer, part) for pointer, part in ((Tag.DETAILS, details), (Tag.PLACE, place)) if part]
    pointers = [(int(pointer), LONG, bytes(4)) for pointer, _ in below]
    at = 8 + len(directory(main + pointers, 8))
    for number_, (_, part) in enumerate(below):
        pointers[number_] = (pointers[number_][0], LONG, struct.pack("<I", at))
        at += len(directory(part, at))
    found = b"II*\0" + struct.pack("<I", 8) + directory(main + pointers, 8)
    for _, part in below:
        found += directory(part, len(found))
    return found


def picture(exif: bytes, format: str = "JPEG") -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (60, 40), (200, 40, 40)).save(stream, format, exif=b"Exif\0\0" + exif)
    return stream.getvalue()


def known(main: list[Entry], details: list[Entry] | None = None, place: list[Entry] | None = None) -> Metadata:
    return read(picture(block(main, details, place))).metadata


def ascii_(value: str) -> bytes:
    return value.encode() + b"\0"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2007:02:19 10:20:30", TAKEN),
        ("2007-02-19 10:20:30", TAKEN),
        ("2007/02/19 10:20:30", TAKEN),
        ("2007-02-19T10:20:30", TAKEN),
        ("2007:02:19 10:20:30Z", TAKEN),
        ("2007:02:19 10:20:30+0000", TAKEN),
        ("2007:02:19T10:20:30+09:00", TAKEN),
        ("2007:02:19 10:20:30.50", TAKEN + ".5"),
        ("2007:02:19 10:20:30.000", TAKEN),
        ("  2007:02:19 10:20:30  ", TAKEN),
        ("2007:02:19 10:20", "2007-02-19T10:20:00"),
        ("2007:02:19", "2007-02-19"),
        ("Mon, 19 Feb 2007 10:20:30 +0000", TAKEN),
        ("19 Feb 2007 10:20:30 GMT", TAKEN),
        ("0000:00:00 00:00:00", None),
        ("    :  :     :  :  ", None),
        ("", None),
        ("0001:01:01 00:00:00", None),
        ("2002:12:08 12:00:00", None),
        ("2002:12:08 12:00:01", "2002-12-08T12:00:01"),
        ("2007:13:19 10:20:30", None),
        ("2007:02:30 10:20:30", None),
        ("2007:02:191 10:20:30", None),
        ("yesterday", None),
    ],
)
def test_a_date_is_read_however_it_is_written(written: str, meant: str | None) -> None:
    assert iso(written) == meant


def test_times_sort_as_texts_with_their_fractions() -> None:
    moments = [iso("2007:02:19 10:20:30", fraction) for fraction in ("", "1", "10", "150", "9", "x")]
    assert moments == [TAKEN, TAKEN + ".1", TAKEN + ".1", TAKEN + ".15", TAKEN + ".9", TAKEN]


ORIGINAL, DIGITIZED = int(Tag.DATE_TIME_ORIGINAL), int(Tag.DATE_TIME_DIGITIZED)
CHANGED = (int(Tag.DATE_TIME), ASCII, ascii_("2020:01:01 00:00:00"))
GOOD = ascii_("2007:02:19 10:20:30")


@pytest.mark.parametrize(
    ("main", "details", "place"),
    [
        ([CHANGED], [(ORIGINAL, ASCII, GOOD), (DIGITIZED, ASCII, ascii_("2008:01:01 00:00:00"))], []),
        ([CHANGED], [(DIGITIZED, ASCII, GOOD)], []),
        ([CHANGED], [(ORIGINAL, ASCII, ascii_("0000:00:00 00:00:00")), (DIGITIZED, ASCII, GOOD)], []),
        ([CHANGED], [(ORIGINAL, ASCII, ascii_("    :  :     :  :  ")), (DIGITIZED, ASCII, GOOD)], []),
        ([CHANGED], [(ORIGINAL, ASCII, ascii_("2002:12:08 12:00:00")), (DIGITIZED, ASCII, GOOD)], []),
        ([CHANGED, (ORIGINAL, ASCII, GOOD)], [], []),  # in the main directory
        ([CHANGED], [(ORIGINAL, ASCII, b"2007:02:19 10:20:30\0junk of before\xff\xfe\0")], []),
        ([CHANGED], [(ORIGINAL, BYTE, GOOD)], []),
        ([CHANGED], [(ORIGINAL, UNDEFINED, GOOD)], []),
        ([CHANGED], [(ORIGINAL, SHORT, struct.pack("<3H", 2007, 2, 19)), (DIGITIZED, ASCII, GOOD)], []),
        ([(int(Tag.DATE_TIME), ASCII, GOOD)], [(ORIGINAL, ASCII, ascii_("0000:00:00 00:00:00"))], []),
        (
            [CHANGED],
            [],
            [(29, ASCII, ascii_("2007:02:19")), (7, RATIONAL, struct.pack("<6I", 10, 1, 20, 1, 30, 1))],
        ),
    ],
)
def test_the_day_of_the_photo_is_found(main: list[Entry], details: list[Entry], place: list[Entry]) -> None:
    assert known(main, details, place).taken_at == TAKEN


def test_a_fraction_of_a_second_is_of_its_own_date() -> None:
    details = [
        (ORIGINAL, ASCII, GOOD),
        (int(Tag.SUBSECOND_ORIGINAL), ASCII, ascii_("70")),
        (int(Tag.SUBSECOND), ASCII, b"10\0"),
    ]
    assert known([], details).taken_at == TAKEN + ".7"


def degrees(*parts: int) -> bytes:
    return b"".join(struct.pack("<2I", part, 1) for part in parts)


SOUTH, WEST = (1, ASCII, b"S\0"), (3, ASCII, b"W\0")
LATITUDE, LONGITUDE = (2, RATIONAL, degrees(33, 51, 36)), (4, RATIONAL, degrees(151, 12, 36))


@pytest.mark.parametrize(
    "place",
    [
        [SOUTH, LATITUDE, WEST, LONGITUDE],
        [(1, ASCII, b"South\0"), LATITUDE, (3, ASCII, b"west\0"), LONGITUDE],
        [(1, BYTE, b"S\0"), LATITUDE, (3, UNDEFINED, b"W\0"), LONGITUDE],
        [(1, SHORT, struct.pack("<H", ord("S"))), LATITUDE, WEST, LONGITUDE],
        [SOUTH, (2, SIGNED, struct.pack("<2i", -3386, 100)), WEST, (4, SIGNED, struct.pack("<2i", -15121, 100))],
        [(2, SIGNED, struct.pack("<2i", -3386, 100)), (4, SIGNED, struct.pack("<2i", -15121, 100))],
        [SOUTH, (2, RATIONAL, struct.pack("<2I", 3386, 100)), WEST, (4, ASCII, b"151.21\0")],
    ],
)
def test_a_place_is_found_whatever_its_tags_are_typed_as(place: list[Entry]) -> None:
    found = known([], [], place)
    assert (found.latitude, found.longitude) == pytest.approx((-33.86, -151.21))


@pytest.mark.parametrize(
    "place",
    [
        [(1, ASCII, b"N\0"), (2, RATIONAL, degrees(0, 0, 0)), (3, ASCII, b"E\0"), (4, RATIONAL, degrees(0, 0, 0))],
        [SOUTH, (2, RATIONAL, struct.pack("<6I", 1, 0, 1, 1, 1, 1)), WEST, LONGITUDE],
        [SOUTH, (2, RATIONAL, degrees(333, 0, 0)), WEST, LONGITUDE],
        [SOUTH, LATITUDE],
        [SOUTH, (2, ASCII, b"abc\0"), WEST, LONGITUDE],
    ],
)
def test_a_place_that_is_none_costs_nothing_else(place: list[Entry]) -> None:
    found = known(
        [(int(Tag.MAKE), ASCII, b"Canon\0"), (int(Tag.ORIENTATION), SHORT, b"\6\0")], [(ORIGINAL, ASCII, GOOD)], place
    )
    assert found == Metadata(6, TAKEN, "Canon")


@pytest.mark.parametrize(
    ("make", "model", "camera"),
    [
        (b"Canon\0", b"Canon EOS 5D\0", "Canon EOS 5D"),
        (b"NIKON CORPORATION\0", b"NIKON D70\0", "NIKON D70"),
        (b"GoPro\0", b"HD2\0\xff\xd8\x12\0\x07q", "GoPro HD2"),
        (b"\xe5\xb0\x8f\xe7\xb1\xb3\0", b"Mi 9\0", "小米 Mi 9"),
        (b"Caf\xe9\0", b"X\0", "Café X"),
        (b"     \0", b"X100\0", "X100"),
        (b"  \0", b"\0", None),
        (b"", b"", None),
        (b"Line\nbreak\0", b"X\0", "Line break X"),
    ],
)
@pytest.mark.parametrize("kind", [ASCII, BYTE, UNDEFINED])
def test_a_camera_is_text_up_to_its_end(make: bytes, model: bytes, camera: str | None, kind: int) -> None:
    main = [(int(Tag.MAKE), kind, make), (int(Tag.MODEL), kind, model), (int(Tag.ORIENTATION), SHORT, b"\6\0")]
    assert known(main, [(ORIGINAL, ASCII, GOOD)]) == Metadata(6, TAKEN, camera)


@pytest.mark.parametrize(
    ("kind", "value"), [(SHORT, b"\6\0"), (BYTE, b"\6"), (UNDEFINED, b"\6"), (LONG, b"\6\0\0\0"), (ASCII, b"6\0")]
)
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
def test_a_picture_is_upright_whatever_its_orientation_is_typed_as(kind: int, value: bytes, format: str) -> None:
    found = read(picture(block([(int(Tag.ORIENTATION), kind, value)]), format))
    assert (found.width, found.height, found.image.size) == (40, 60, (40, 60))


@pytest.mark.parametrize("value", [0, 9, 255])
def test_an_orientation_that_is_none_turns_nothing(value: int) -> None:
    assert read(picture(block([(int(Tag.ORIENTATION), SHORT, struct.pack("<H", value))]))).width == 60


@pytest.mark.parametrize("order", ["<", ">"])
def test_both_orders_of_bytes_are_read(order: str) -> None:
    mark = b"II*\0" if order == "<" else b"MM\0*"
    data = mark + struct.pack(order + "IHHHI", 8, 1, Tag.ORIENTATION, SHORT, 1) + struct.pack(order + "HH", 6, 0) + bytes(4)
    assert number(Directories(data).main[Tag.ORIENTATION]) == 6


def test_a_large_tiff_directory_is_read() -> None:
    data = b"II+\0" + struct.pack("<HHQ", 8, 0, 16) + struct.pack("<QHHQ", 1, Tag.MAKE, ASCII, 5) + b"Canon\0\0\0" + bytes(8)
    assert text(Directories(data).main[Tag.MAKE]) == "Canon"


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow looks for the resolution there
def test_any_prefix_and_any_flipped_byte_of_a_block_is_harmless() -> None:
    whole = block(
        [(int(Tag.MAKE), ASCII, b"Canon EOS\0"), (int(Tag.ORIENTATION), SHORT, b"\6\0")],
        [(ORIGINAL, ASCII, GOOD)],
        [SOUTH, LATITUDE, WEST, LONGITUDE],
    )
    generator = np.random.default_rng(0)
    for end in range(len(whole)):
        Directories(whole[:end])
    for _ in range(500):
        bad = bytearray(whole)
        for at in generator.integers(len(whole), size=4):
            bad[at] = generator.integers(256)
        found = read(picture(bytes(bad))).metadata
        assert found.latitude is None or abs(found.latitude) <= 90


XMP = """<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF><rdf:Description {}>{}</rdf:Description></rdf:RDF></x:xmpmeta>"""


@pytest.mark.parametrize(
    ("attributes", "elements"),
    [
        ('exif:DateTimeOriginal="2007-02-19T10:20:30+09:00" xmp:CreateDate="2008-01-01T00:00:00"', ""),
        ('photoshop:DateCreated="2007-02-19T10:20:30Z"', ""),
        ("", "<exif:DateTimeOriginal>2007-02-19T10:20:30</exif:DateTimeOriginal>"),
        ('xmp:ModifyDate="2020-01-01T00:00:00" xmp:CreateDate="2007-02-19T10:20:30.00"', ""),
        ("", "<xap:ModifyDate>2020-01-01T00:00:00</xap:ModifyDate><xap:CreateDate>2007-02-19T10:20:30-07:00</xap:CreateDate>"),
    ],
)
def test_a_date_that_is_in_xmp_only_is_read(attributes: str, elements: str) -> None:
    stream = io.BytesIO()
    Image.new("RGB", (9, 9)).save(stream, "JPEG", xmp=XMP.format(attributes, elements).encode())
    assert read(stream.getvalue()).metadata.taken_at == TAKEN
    info = PngInfo()
    info.add_itxt("XML:com.adobe.xmp", XMP.format(attributes, elements))
    stream = io.BytesIO()
    Image.new("RGB", (9, 9)).save(stream, "PNG", pnginfo=info)
    assert read(stream.getvalue()).metadata.taken_at == TAKEN


def test_place_camera_and_side_that_are_in_xmp_only_are_read() -> None:
    said = 'exif:GPSLatitude="33,51.6S" exif:GPSLongitude="151,12,36W" tiff:Make="Canon" tiff:Model="R5" tiff:Orientation="6"'
    stream = io.BytesIO()
    Image.new("RGB", (60, 40)).save(stream, "JPEG", xmp=XMP.format(said, "").encode())
    found = read(stream.getvalue())
    assert found.metadata == Metadata(6, None, "Canon R5", -33.86, -151.21)
    assert found.width == 40


def test_a_png_says_when_it_was_made_in_text_or_in_its_own_chunk() -> None:
    info = PngInfo()
    info.add_text("Creation Time", "Mon, 19 Feb 2007 10:20:30 +0000")
    stream = io.BytesIO()
    Image.new("RGB", (9, 9)).save(stream, "PNG", pnginfo=info)
    assert read(stream.getvalue()).metadata.taken_at == TAKEN
    stream = io.BytesIO()
    Image.new("RGB", (9, 9)).save(stream, "PNG")
    data = stream.getvalue()
    at = data.index(b"IDAT") - 4
    stamped = data[:at] + chunk(b"tIME", struct.pack(">H5B", 2007, 2, 19, 10, 20, 30)) + data[at:]
    assert read(stamped).metadata.taken_at == TAKEN


def test_a_raw_profile_of_a_png_is_read_as_exif() -> None:
    data = b"Exif\0\0" + block([], [(ORIGINAL, ASCII, GOOD)])
    info = PngInfo()
    info.add_text("Raw profile type exif", f"\nexif\n{len(data):8}\n{data.hex()}\n")
    stream = io.BytesIO()
    Image.new("RGB", (9, 9)).save(stream, "PNG", pnginfo=info)
    assert read(stream.getvalue()).metadata.taken_at == TAKEN


def test_crc_of_our_own_chunks_is_right() -> None:
    assert chunk(b"IEND", b"") == b"\0\0\0\0IEND" + struct.pack(">I", zlib.crc32(b"IEND"))


def test_exif_and_texts_behind_the_pixels_of_a_png_are_read() -> None:
    stream = io.BytesIO()
    Image.new("RGB", (60, 40)).save(stream, "PNG")
    data = stream.getvalue()
    end = data.index(b"IEND") - 4
    exif = chunk(b"eXIf", block([(int(Tag.ORIENTATION), SHORT, b"\6\0")]))
    found = read(data[:end] + exif + chunk(b"tEXt", b"Creation Time\0" + TAKEN.encode()) + data[end:])
    assert (found.metadata, found.width) == (Metadata(6, TAKEN), 40)
