"""JPEG structure: size, number of scans, and repair of damaged and truncated files."""

import re
from collections.abc import Iterator

import numpy as np
from PIL import Image

# Start of a scan; inside its data 0xff is always followed by 0 or a restart marker. bytes.count takes five times as long.
SCAN = re.compile(b"\xff\xda")
SIZES = {0xC0 + number for number in range(16)} - {0xC4, 0xC8, 0xCC}  # markers of the segment with the size
SEQUENTIAL = (0xC0, 0xC1)
BEGIN = 0xDA
END = b"\xff\xd9"
# JFIF, EXIF and XMP, Adobe's colours; no other application segment is needed to show the picture.
NEEDED = (0xE0, 0xE1, 0xEE)
GREY = 128  # level of missing rows, as decoded
COLUMNS = 256  # of a row that are checked


def size(data: bytes) -> tuple[int, int]:
    """(width, height) from the header; (0, 0) if it has none."""
    for mark, _, segment in _segments(data):
        if mark in SIZES and len(segment) >= 5:
            return int.from_bytes(segment[3:5], "big"), int.from_bytes(segment[1:3], "big")
    return 0, 0


def scans(data: bytes) -> int:
    """The number of scans that a decoder must make, and up to one more for each embedded thumbnail."""
    kind, components = 0, 0
    for mark, _, segment in _segments(data):
        if mark in SIZES and len(segment) >= 6:
            kind, components = mark, segment[5]
        if mark == BEGIN and kind in SEQUENTIAL and segment[:1] == bytes((components,)):
            return 1  # all components in one scan: the decoder looks for no other
    return len(SCAN.findall(data))


def _segments(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """(marker, offset, body) of each segment up to the start of the first scan."""
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        mark = data[at + 1]
        if mark == 0xFF:  # padding
            at += 1
            continue
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        yield mark, at, data[at + 4 : at + 2 + length]
        if mark == BEGIN:
            return
        at += 2 + length


def without_metadata(data: bytes) -> bytes:
    """The same pixels without comments and most application segments, of which one may be damaged."""
    parts = [data[:2]]
    for mark, at, body in _segments(data):
        if mark == BEGIN:
            parts.append(data[at:])
        elif not (0xE0 <= mark <= 0xEF or mark == 0xFE) or mark in NEEDED:
            parts.append(data[at : at + 4 + len(body)])
    return b"".join(parts)


def with_end(data: bytes) -> bytes:
    """A truncated file with an end marker, for which the decoder fills missing rows with grey."""
    return data + END


def intact_share(image: Image.Image) -> float:
    """The share of rows above the grey of missing ones, in an image of `with_end` before any rotation."""
    rows = np.asarray(image.convert("RGB"))[:, :: max(1, image.width // COLUMNS)]
    flat = ((rows >= GREY - 1) & (rows <= GREY + 1)).all(axis=(1, 2))
    intact = np.flatnonzero(~flat)
    return 0.0 if not len(intact) else float(intact[-1] + 1) / len(rows)
