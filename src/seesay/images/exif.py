"""Raw tags of an EXIF block or a TIFF file, each read by itself, so that a damaged one costs no other.

Pillow drops a whole block for one such tag, and reports it by Python warnings, which a thread cannot suppress for itself.
"""

import struct
from collections.abc import Iterator, Mapping
from enum import IntEnum

Value = bytes | tuple[float, ...]  # of a tag: text and bytes as stored, or numbers


class Tag(IntEnum):
    """Numbers of the tags that are used."""

    BITS_PER_SAMPLE = 0x0102
    PHOTOMETRIC = 0x0106
    MAKE = 0x010F
    MODEL = 0x0110
    STRIP_OFFSETS = 0x0111
    ORIENTATION = 0x0112
    DATE_TIME = 0x0132
    TILE_OFFSETS = 0x0144
    XMP = 0x02BC
    DETAILS = 0x8769
    PLACE = 0x8825
    DATE_TIME_ORIGINAL = 0x9003
    DATE_TIME_DIGITIZED = 0x9004
    SUBSECOND = 0x9290
    SUBSECOND_ORIGINAL = 0x9291
    SUBSECOND_DIGITIZED = 0x9292


class GPS(IntEnum):
    """Numbers of the tags in the directory of the place."""

    LATITUDE_REF = 1
    LATITUDE = 2
    LONGITUDE_REF = 3
    LONGITUDE = 4
    TIME = 7
    DATE = 29


# Type of a value -> its format for struct; a rational is two numbers.
NUMBERS = {
    1: "B",
    3: "H",
    4: "I",
    5: "II",
    6: "b",
    8: "h",
    9: "i",
    10: "ii",
    11: "f",
    12: "d",
    13: "I",
    16: "Q",
    17: "q",
    18: "Q",
}
TEXT = (1, 2, 6, 7)  # types of single bytes
RATIONAL = (5, 10)
TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")  # signatures: little and big endian, of 32 and of 64 bits
MOST_TAGS = 4096  # read of one directory
MOST_VALUES = 64  # numbers read of one tag
MOST_BYTES = 2**20  # read of a text or of XMP


class Directories:
    """Values by tag in three directories: `main`, `details` (of the exposure) and `place` (GPS).

    data: an EXIF block with or without its "Exif" prefix, or a whole TIFF file. Any other bytes have no tags. `counts` has the
    number of values of each main tag, also of those that are not read.
    """

    def __init__(self, data: bytes) -> None:
        self.main: Mapping[int, Value] = {}
        self.counts: Mapping[int, int] = {}
        self.details: Mapping[int, Value] = {}
        self.place: Mapping[int, Value] = {}
        start = next((at for mark in TIFF if (at := data[:64].find(mark)) >= 0), None)
        if start is None:
            return
        self._data = memoryview(data)[start:]
        self._order = "<" if data[start : start + 2] == b"II" else ">"
        self._big = b"+" in data[start : start + 4]
        try:
            (first,) = self._unpack("Q" if self._big else "I", 8 if self._big else 4)
        except struct.error:
            return
        entries = list(self._entries(int(first)))
        self.counts = {tag: count for tag, _, count, _ in entries}
        self.main = dict(self._values(entries))
        self.details = self._below(Tag.DETAILS)
        self.place = self._below(Tag.PLACE)

    def first(self, tag: int) -> Iterator[Value]:
        """The values of a tag in `details`, where it belongs, and in `main`, where some programs put it."""
        for directory in (self.details, self.main):
            if tag in directory:
                yield directory[tag]

    def _below(self, pointer: Tag) -> Mapping[int, Value]:
        offset = number(self.main.get(pointer))
        return {} if offset is None else dict(self._values(self._entries(int(offset))))

    def _unpack(self, how: str, at: int) -> tuple[float, ...]:
        return struct.unpack_from(self._order + how, self._data, at)

    def _entries(self, at: int) -> Iterator[tuple[int, int, int, int]]:
        """(tag, type, count, offset of its value or of the pointer to it) of each entry."""
        counted, entry, place = ("Q", "HHQ", 12) if self._big else ("H", "HHI", 8)
        size = place + (8 if self._big else 4)
        try:
            (count,) = self._unpack(counted, at)
            at += 8 if self._big else 2
            for number in range(min(int(count), MOST_TAGS)):
                tag, kind, values = self._unpack(entry, at + number * size)
                yield int(tag), int(kind), int(values), at + number * size + place
        except (struct.error, OverflowError):  # the directory is cut short
            return

    def _values(
        self, entries: "Iterator[tuple[int, int, int, int]] | list[tuple[int, int, int, int]]"
    ) -> Iterator[tuple[int, Value]]:
        for tag, kind, count, at in entries:
            try:
                value = self._value(tag, kind, count, at)
            except (struct.error, OverflowError):
                continue
            if value is not None:
                yield tag, value

    def _value(self, tag: int, kind: int, count: int, at: int) -> Value | None:
        how = NUMBERS.get(kind, "c")
        size = struct.calcsize("=" + how) * count
        if size > (8 if self._big else 4):
            (offset,) = self._unpack("Q" if self._big else "I", at)
            at = int(offset)
        if kind in TEXT or tag == Tag.XMP:
            return bytes(self._data[at : at + min(size, MOST_BYTES)]) or None
        if kind not in NUMBERS:
            return None
        values = self._unpack(how * min(count, MOST_VALUES), at)
        if kind in RATIONAL:
            return tuple(a / b if b else float("nan") for a, b in zip(values[::2], values[1::2], strict=True))
        return values


def number(value: Value | None) -> float | None:
    """The first number of a value of any type: a number, a byte, or digits as text."""
    if isinstance(value, tuple):
        return value[0] if value else None
    if not value:
        return None
    digits = value.split(b"\0")[0].strip()
    if digits.isdigit():
        return float(digits)
    return float(value.strip(b"\0")[0]) if value.strip(b"\0") else None


def text(value: Value | None) -> str | None:
    """A text up to its first NUL, behind which some cameras leave junk; None for a blank."""
    if not isinstance(value, bytes):
        return None
    raw = value.split(b"\0")[0]
    try:
        decoded = raw.decode("utf-8")
    except UnicodeDecodeError:
        decoded = raw.decode("latin-1")
    printable = "".join(letter if letter.isprintable() else " " for letter in decoded)
    return " ".join(printable.split()) or None
