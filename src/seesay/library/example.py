"""`Example`: a picture that teaches a name, as its vector, and a digest that knows the same picture again."""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from seesay.errors import InputError
from seesay.system.paths import is_url, printable

if TYPE_CHECKING:
    from seesay.model import Model

Box = tuple[float, float, float, float]  # x0, y0, x1, y1 in pixels of the upright picture


class Example(NamedTuple):
    """A picture that teaches a name. source: for people; digest: of its bytes and box; vector: (D,) at unit length."""

    source: str
    digest: str
    vector: np.ndarray


def read_example(model: "Model", source: str, box: Box | None = None) -> Example:
    """The picture at a path or URL, or what it shows inside a box. Raises UnreadableImage, and InputError for the box."""
    from seesay.images.read import read_bytes

    if is_url(source):
        from seesay.images.fetch import fetch

        data = fetch(source)
    else:
        data = read_bytes(Path(source), printable(source))
    return encoded_example(model, data, source, box)


def encoded_example(model: "Model", data: bytes, source: str, box: Box | None = None) -> Example:
    """The same of a picture's bytes. source: its name in messages."""
    from seesay.images.read import read

    if box is None:
        return Example(source, digest_of(data), model.encode_image(data)[0])
    image = read(data, name=printable(source)).image
    cropped = image.crop(_pixels(box, image.width, image.height))
    return Example(source, digest_of(data, box), model.encode_image(cropped)[0])


def digest_of(data: bytes, box: Box | None = None) -> str:
    """A digest of a picture's bytes and the box in it, in hexadecimal digits."""
    corners = "" if box is None else ",".join(f"{corner:g}" for corner in box)
    return hashlib.sha256(data + corners.encode()).hexdigest()


def _pixels(box: Box, width: int, height: int) -> tuple[int, int, int, int]:
    """The corners of a box in whole pixels. Raises InputError where it is not inside the picture."""
    x0, y0, x1, y1 = map(round, box)
    if not (0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height):
        raise InputError(
            f"box: expected x0,y0,x1,y1 with corners inside the picture of {width} x {height} pixels, got "
            + ",".join(f"{corner:g}" for corner in box),
            parameter="box",
            expected="x0,y0,x1,y1 inside the picture",
            got=box,
        )
    return x0, y0, x1, y1
