"""JPEG files whose pixels are whole and whose rest is not, those that are cut short, and those made to keep a decoder busy."""

import numpy as np
from PIL import Image

SCAN = b"\xff\xda"  # inside a scan's own data 0xff is always followed by 0 or a restart mark, so counting finds no other
END = b"\xff\xd9"
# JFIF, EXIF with XMP, Adobe's colours: what else programs put there is not needed to show the picture.
NEEDED = (0xE0, 0xE1, 0xEE)
GREY = 128  # what the decoder shows where there is nothing


def scans(data: bytes) -> int:
    """Passes over the whole picture that a decoder has to make; at most one more for every small copy inside."""
    return data.count(SCAN)


def without_faults(data: bytes) -> bytes:
    """The same pixels without the segments of programs, of which one may be damaged."""
    found, at = [data[:2]], 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        mark = data[at + 1]
        if mark == 0xFF:  # filling
            at += 1
            continue
        if mark == 0xDA:
            break
        length = 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if not (0xE0 <= mark <= 0xEF or mark == 0xFE) or mark in NEEDED:
            found.append(data[at : at + length])
        at += length
    return b"".join((*found, data[at:]))


def completed(data: bytes) -> bytes:
    """A file that is cut short, with an end: the decoder fills up what is gone with grey."""
    return data + END


def shown(image: Image.Image) -> float:
    """The share of rows that are there, of a picture that was completed and is not turned yet."""
    rows = np.asarray(image.convert("RGB"))
    flat = (np.abs(rows.astype(np.int16) - GREY) <= 1).all(axis=(1, 2))
    there = np.flatnonzero(~flat)
    return 0.0 if not len(there) else float(there[-1] + 1) / len(rows)
