"""JPEG files whose pixels are whole and whose rest is not, those that are cut short, and those made to keep a decoder busy."""

import re
from collections.abc import Iterator

import numpy as np
from PIL import Image

# Inside a scan's own data 0xff is always followed by 0 or a restart mark. bytes.count takes five times as long.
SCAN = re.compile(b"\xff\xda")
SIZES = {0xC0 + number for number in range(16)} - {0xC4, 0xC8, 0xCC}  # the marks of the segment that holds the size
SEQUENTIAL = (0xC0, 0xC1)
BEGIN = 0xDA
END = b"\xff\xd9"
# JFIF, EXIF with XMP, Adobe's colours: what else programs put there is not needed to show the picture.
NEEDED = (0xE0, 0xE1, 0xEE)
GREY = 128  # what the decoder shows where there is nothing
COLUMNS = 256  # of a row that are looked at


def size(data: bytes) -> tuple[int, int]:
    """(width, height) as the header says them; (0, 0) where it does not."""
    for mark, _, segment in _segments(data):
        if mark in SIZES and len(segment) >= 5:
            return int.from_bytes(segment[3:5], "big"), int.from_bytes(segment[1:3], "big")
    return 0, 0


def scans(data: bytes) -> int:
    """Passes over the whole picture that a decoder has to make; at most one more for every small copy inside."""
    kind, colours = 0, 0
    for mark, _, segment in _segments(data):
        if mark in SIZES and len(segment) >= 6:
            kind, colours = mark, segment[5]
        if mark == BEGIN and kind in SEQUENTIAL and segment[:1] == bytes((colours,)):
            return 1  # all colours in one: the decoder does not look for another
    return len(SCAN.findall(data))


def _segments(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """(mark, where it stands, body) each, up to where the first scan begins."""
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        mark = data[at + 1]
        if mark == 0xFF:  # filling
            at += 1
            continue
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        yield mark, at, data[at + 4 : at + 2 + length]
        if mark == BEGIN:
            return
        at += 2 + length


def without_faults(data: bytes) -> bytes:
    """The same pixels without the segments of programs, of which one may be damaged."""
    found = [data[:2]]
    for mark, at, body in _segments(data):
        if mark == BEGIN:
            found.append(data[at:])
        elif not (0xE0 <= mark <= 0xEF or mark == 0xFE) or mark in NEEDED:
            found.append(data[at : at + 4 + len(body)])
    return b"".join(found)


def completed(data: bytes) -> bytes:
    """A file that is cut short, with an end: the decoder fills up what is gone with grey."""
    return data + END


def shown(image: Image.Image) -> float:
    """The share of rows that are there, of a picture that was completed and is not turned yet."""
    rows = np.asarray(image.convert("RGB"))[:, :: max(1, image.width // COLUMNS)]
    flat = ((rows >= GREY - 1) & (rows <= GREY + 1)).all(axis=(1, 2))
    there = np.flatnonzero(~flat)
    return 0.0 if not len(there) else float(there[-1] + 1) / len(rows)
