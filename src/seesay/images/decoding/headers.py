"""Format and size of a picture from its file's first bytes, before a decoder takes memory for it."""

import struct

from seesay.images import exif
from seesay.images.decoding import jpeg, png
from seesay.images.decoding.formats import HEIF


def format_of(data: bytes) -> str | None:
    """Pillow's name of a file's format, by its signature; None for one that is not read.

    Pillow's other formats (EPS runs a program; PSD, FITS, ...) are thereby never opened.
    """
    start = data[:32]
    if start.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if start.startswith(png.SIGNATURE):
        return "PNG"
    if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
        return "WEBP"
    if start.startswith((b"GIF87a", b"GIF89a")):
        return "GIF"
    if start.startswith(b"BM"):
        return "BMP"
    if start.startswith(exif.TIFF):
        return "TIFF"
    if start.startswith((b"\xff\x4f\xff\x51", b"\0\0\0\x0cjP  \r\n\x87\n")):
        return "JPEG2000"
    if start[:1] == b"P" and start[1:2] in b"123456" and start[2:3].isspace():
        return "PPM"
    if start[4:8] == b"ftyp":
        return _container(data)
    return None


def _container(data: bytes) -> str | None:
    """The format of an ISO media file, by its brands."""
    length = min(int.from_bytes(data[:4], "big"), 256)
    brands = {data[8:12], *(data[at : at + 4] for at in range(16, length, 4))}
    if brands & {b"avif", b"avis"}:
        return "AVIF"
    if brands & {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"}:
        return HEIF
    return None


def canvas(data: bytes, kind: str) -> tuple[int, int]:
    """(width, height) from the header; (0, 0) if it is not at the beginning of the file."""
    try:
        match kind:
            case "PNG":
                return _pair(">II", data, 16)
            case "GIF":
                return _pair("<HH", data, 6)
            case "BMP" if data[14:18] != b"\x0c\0\0\0":
                width, height = _pair("<ii", data, 18)
                return width, abs(height)  # a negative height means rows from the top
            case "JPEG":
                return jpeg.size(data)
            case "WEBP":
                return _webp(data)
    except struct.error:
        pass
    return 0, 0


def _pair(how: str, data: bytes, at: int) -> tuple[int, int]:
    first, second = struct.unpack_from(how, data, at)
    return int(first), int(second)


def _webp(data: bytes) -> tuple[int, int]:
    kind, body = data[12:16], data[20:30]
    if kind == b"VP8X" and len(body) == 10:
        return int.from_bytes(body[4:7], "little") + 1, int.from_bytes(body[7:10], "little") + 1
    if kind == b"VP8 " and len(body) == 10:
        return int.from_bytes(body[6:8], "little") & 0x3FFF, int.from_bytes(body[8:10], "little") & 0x3FFF
    if kind == b"VP8L" and len(body) >= 5:
        bits = int.from_bytes(body[1:5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    return 0, 0
