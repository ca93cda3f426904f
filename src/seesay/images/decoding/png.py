"""PNG structure: chunks, and repair of damaged and truncated files."""

import struct
import zlib
from collections.abc import Iterator

SIGNATURE = b"\x89PNG\r\n\x1a\n"
IMAGE_CHUNKS = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND", b"acTL", b"fcTL", b"fdAT")  # enough to show it
METADATA_CHUNKS = (b"eXIf", b"iCCP", b"iTXt", b"tEXt")
MOST_METADATA = 2**20  # bytes of a metadata chunk that is kept, both stored and decompressed
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # colour type -> channels
# Adam7 interlacing: (columns, rows) between the pixels of each pass, and its first (column, row)
STEPS = ((8, 8), (8, 8), (4, 8), (4, 4), (2, 4), (2, 2), (1, 2))
STARTS = ((0, 0), (4, 0), (0, 4), (2, 0), (0, 2), (1, 0), (0, 1))


def chunks(data: bytes) -> Iterator[tuple[bytes, bytes, bool]]:
    """(type, body, whether its checksum is right) of each chunk; the last may be truncated."""
    for kind, start, end in _offsets(data):
        body = data[start:end]
        yield kind, body, data[end : end + 4] == struct.pack(">I", zlib.crc32(body, zlib.crc32(kind)))


def _offsets(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """(type, begin and end of its body) of each chunk."""
    at = len(SIGNATURE)
    while at + 8 <= len(data):
        end = at + 8 + int.from_bytes(data[at : at + 4], "big")
        yield data[at + 4 : at + 8], at + 8, end
        at = end + 4


def changed_at(data: bytes) -> str | None:
    """The time of the last change (tIME) in ISO 8601; None if there is none."""
    for kind, start, end in _offsets(data) if data.startswith(SIGNATURE) else ():
        if kind == b"tIME" and end - start == 7 and end <= len(data):
            body = data[start:end]
            return "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}".format(*struct.unpack(">H5B", body))
    return None


def without_damage(data: bytes) -> bytes:
    """The same pixels without texts and profiles that are damaged or too large."""
    parts = [SIGNATURE]
    for kind, body, intact in chunks(data):
        if (kind in IMAGE_CHUNKS and (intact or kind != b"IHDR")) or (
            kind in METADATA_CHUNKS and intact and _small(kind, body)
        ):
            parts.append(chunk(kind, body))
    return b"".join(parts)


def _small(kind: bytes, body: bytes) -> bool:
    if len(body) > MOST_METADATA:
        return False
    if kind == b"iTXt":
        return body.partition(b"\0")[2][:1] == b"\0"  # not compressed
    if kind == b"iCCP":
        inflater = zlib.decompressobj()
        try:
            inflater.decompress(body.partition(b"\0")[2][1:], MOST_METADATA)
        except zlib.error:
            return False
        return inflater.eof
    return True


def with_all_rows(data: bytes, enough: float) -> tuple[bytes, float] | None:
    """(a truncated file with zeros for its missing rows, the share of intact rows); None if that is less than `enough`."""
    parts = list(chunks(data))
    if not parts or parts[0][0] != b"IHDR" or len(parts[0][1]) != 13:
        return None
    width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", parts[0][1])
    if colour not in CHANNELS or not width or not height:
        return None
    whole = _raw_bytes(width, height, depth * CHANNELS[colour], interlaced)
    inflater, rows = zlib.decompressobj(), bytearray()
    try:
        for kind, body, _ in parts:
            if kind == b"IDAT" and len(rows) < whole:
                rows += inflater.decompress(body, whole - len(rows))
    except zlib.error:
        pass  # the rows before the fault are intact
    share = len(rows) / whole
    if share < enough:
        return None
    rows += bytes(whole - len(rows))
    head = [chunk(kind, body) for kind, body, right in parts if right and kind in (b"IHDR", b"PLTE", b"tRNS", b"eXIf")]
    pixels = chunk(b"IDAT", zlib.compress(rows, 1))
    return b"".join((SIGNATURE, *head, pixels, chunk(b"IEND", b""))), share


def _raw_bytes(width: int, height: int, bits: int, interlaced: int) -> int:
    """The number of bytes of all rows, each with its filter byte."""
    if not interlaced:
        return height * (1 + (width * bits + 7) // 8)
    total = 0
    for (across, down), (left, top) in zip(STEPS, STARTS, strict=True):
        columns, rows = -(-(width - left) // across), -(-(height - top) // down)
        if columns > 0 and rows > 0:
            total += rows * (1 + (columns * bits + 7) // 8)
    return total


def chunk(kind: bytes, body: bytes) -> bytes:
    """A chunk with length and checksum."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
