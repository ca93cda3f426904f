"""PNG files whose pixels are whole and whose rest is not, and those that are cut short."""

import struct
import zlib
from collections.abc import Iterator

SIGNATURE = b"\x89PNG\r\n\x1a\n"
PIXELS = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND", b"acTL", b"fcTL", b"fdAT")  # what is shown hangs on these alone
FACTS = (b"eXIf", b"iCCP", b"iTXt", b"tEXt")
MOST_FACT = 2**20  # bytes of one that is kept, as it is stored and unpacked
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
STEPS = ((8, 8), (8, 8), (4, 8), (4, 4), (2, 4), (2, 2), (1, 2))  # of interlacing: between columns and between rows
STARTS = ((0, 0), (4, 0), (0, 4), (2, 0), (0, 2), (1, 0), (0, 1))


def chunks(data: bytes) -> Iterator[tuple[bytes, bytes, bool]]:
    """(type, body, whether its check sum is right) each; the last may be cut short."""
    for kind, start, end in _places(data):
        body = data[start:end]
        yield kind, body, data[end : end + 4] == struct.pack(">I", zlib.crc32(body, zlib.crc32(kind)))


def _places(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """(type, where its body begins and ends) each."""
    at = len(SIGNATURE)
    while at + 8 <= len(data):
        end = at + 8 + int.from_bytes(data[at : at + 4], "big")
        yield data[at + 4 : at + 8], at + 8, end
        at = end + 4


def changed_at(data: bytes) -> str | None:
    """When the picture was last changed (tIME), as a date in words of ISO 8601."""
    for kind, start, end in _places(data) if data.startswith(SIGNATURE) else ():
        if kind == b"tIME" and end - start == 7 and end <= len(data):
            body = data[start:end]
            return "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}".format(*struct.unpack(">H5B", body))
    return None


def without_faults(data: bytes) -> bytes:
    """The same pixels; texts and profiles that are damaged or too large are left out."""
    found = [SIGNATURE]
    for kind, body, whole in chunks(data):
        if (kind in PIXELS and (whole or kind != b"IHDR")) or (kind in FACTS and whole and _small(kind, body)):
            found.append(chunk(kind, body))
    return b"".join(found)


def _small(kind: bytes, body: bytes) -> bool:
    if len(body) > MOST_FACT:
        return False
    if kind == b"iTXt":
        return body.partition(b"\0")[2][:1] == b"\0"  # not packed
    if kind == b"iCCP":
        unpacker = zlib.decompressobj()
        try:
            unpacker.decompress(body.partition(b"\0")[2][1:], MOST_FACT)
        except zlib.error:
            return False
        return unpacker.eof
    return True


def completed(data: bytes, enough: float) -> tuple[bytes, float] | None:
    """A file that is cut short, with rows of zeros for those that are gone, and the share that is there; None where that is not
    enough."""
    parts = list(chunks(data))
    if not parts or parts[0][0] != b"IHDR" or len(parts[0][1]) != 13:
        return None
    width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", parts[0][1])
    if colour not in CHANNELS or not width or not height:
        return None
    whole = _raw_bytes(width, height, depth * CHANNELS[colour], interlaced)
    unpacker, rows = zlib.decompressobj(), bytearray()
    try:
        for kind, body, _ in parts:
            if kind == b"IDAT" and len(rows) < whole:
                rows += unpacker.decompress(body, whole - len(rows))
    except zlib.error:
        pass  # what came before the fault is good
    share = len(rows) / whole
    if share < enough:
        return None
    rows += bytes(whole - len(rows))
    head = [chunk(kind, body) for kind, body, right in parts if right and kind in (b"IHDR", b"PLTE", b"tRNS", b"eXIf")]
    packed = chunk(b"IDAT", zlib.compress(rows, 1))
    return b"".join((SIGNATURE, *head, packed, chunk(b"IEND", b""))), share


def _raw_bytes(width: int, height: int, bits: int, interlaced: int) -> int:
    """Of all rows, each with the byte that says how it is filtered."""
    if not interlaced:
        return height * (1 + (width * bits + 7) // 8)
    total = 0
    for (across, down), (left, top) in zip(STEPS, STARTS, strict=True):
        columns, rows = -(-(width - left) // across), -(-(height - top) // down)
        if columns > 0 and rows > 0:
            total += rows * (1 + (columns * bits + 7) // 8)
    return total


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
