"""Pictures for tests, and how they are stored."""

import io
import struct

import numpy as np
from PIL import Image

BLACK = Image.new("RGB", (160, 104))
# EXIF orientation -> how a picture that is upright is turned to be stored with it.
TURNED = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def encode(image: Image.Image, format: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, format, **options)
    return stream.getvalue()


def scene(width: int = 160, height: int = 104) -> Image.Image:
    """Something with edges, which is not symmetric in any way."""
    y, x = np.mgrid[0:height, 0:width]
    image = np.stack([x * 255 // width, y * 255 // height, (x // 16 + y // 16) % 2 * 255], axis=-1).astype(np.uint8)
    image[: height // 3, : width // 4] = (250, 20, 20)
    return Image.fromarray(image)


def alike(a: Image.Image, b: Image.Image) -> float:
    """Correlation of two pictures, each at 32 x 32."""
    x, y = (np.asarray(image.convert("RGB").resize((32, 32)), dtype=float).ravel() for image in (a, b))
    return float(np.corrcoef(x, y)[0, 1])


def profile(name: str) -> bytes:
    """A small profile of three colours with the primaries and the curve of a well-known space, made by hand."""
    primaries, gamma = {
        "Adobe RGB": (((0.6097, 0.3111, 0.0195), (0.2053, 0.6257, 0.0609), (0.1492, 0.0632, 0.7446)), 2.2),
        "Display P3": (((0.5151, 0.2412, -0.0011), (0.292, 0.6922, 0.0419), (0.1571, 0.0666, 0.7841)), 2.2),
        "ProPhoto": (((0.7977, 0.2880, 0.0), (0.1352, 0.7119, 0.0), (0.0313, 0.0001, 0.8249)), 1.8),
    }[name]

    def fixed(value: float) -> bytes:
        return struct.pack(">i", round(value * 65536))

    white = (0.9642, 1.0, 0.8249)
    curve = b"curv" + bytes(4) + struct.pack(">IHH", 1, round(gamma * 256), 0)
    blocks = {
        tag: b"XYZ " + bytes(4) + b"".join(map(fixed, xyz))
        for tag, xyz in zip((b"rXYZ", b"gXYZ", b"bXYZ"), primaries, strict=True)
    }
    blocks |= {b"wtpt": b"XYZ " + bytes(4) + b"".join(map(fixed, white))} | dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)
    text = name.encode() + b"\0"
    blocks[b"desc"] = (b"desc" + bytes(4) + struct.pack(">I", len(text)) + text).ljust(104 + len(text), b"\0")
    blocks[b"cprt"] = b"text" + bytes(4) + b"none\0"
    at, table, body = 128 + 4 + 12 * len(blocks), b"", b""
    for tag, block in blocks.items():
        block += bytes(-len(block) % 4)
        table += tag + struct.pack(">II", at + len(body), len(block))
        body += block
    size = at + len(body)
    head = struct.pack(">I4sI4s4s4s", size, bytes(4), 0x02400000, b"mntr", b"RGB ", b"XYZ ") + struct.pack(
        ">6H", 2024, 1, 1, 0, 0, 0
    )
    head += b"acsp" + bytes(28) + b"".join(map(fixed, white)) + bytes(48)
    return head.ljust(128, b"\0")[:128] + struct.pack(">I", len(blocks)) + table + body
