"""Reads one picture, wherever it is: within limits, upright, RGB.

A file is not trusted: its format must be on the list, its bytes and pixels within limits before anything is decoded, what
might take long is decoded in a process of its own, and whatever goes wrong is an UnreadableImage of this picture alone.
"""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from seesay.errors import InputError, UnreadableImage
from seesay.images.decoding import isolated
from seesay.images.decoding.decode import (
    MAX_PIXELS,
    NO_MEMORY,
    TURNS,
    Alpha,
    Decode,
    Picture,
    Wanted,
    check_bytes,
    decoded,
    to_rgb,
)
from seesay.images.decoding.memory import DECODED
from seesay.images.metadata import Metadata, orientation_of
from seesay.system.paths import is_url, printable

ImageInput = str | os.PathLike[str] | bytes | Image.Image | np.ndarray


def read(
    source: ImageInput,
    *,
    decode: Decode = "exact",
    enough_px: int = 0,
    alpha: Alpha = "white",
    name: str | None = None,
    most_pixels: int = MAX_PIXELS,
    srgb: bool = True,
) -> Picture:
    """Reads a file (str or Path), a URL (str, http or https), encoded bytes, a PIL image or a uint8 array (H, W, 3).

    decode "fast" lets a JPEG come out of the decoder at 1/2, 1/4 or 1/8 of its size, as long as both sides keep twice
    `enough_px`; pixels then differ slightly (docs/benchmarks.md says by how much). A file of more than most_pixels is not
    decoded. Colours are those that a viewer shows: a file's own profile is turned into sRGB. A PIL image keeps its values,
    since CLIP's own preprocessing knows no profiles and its users compare. srgb False may leave them to be turned with the
    picture's `profile`, when it is smaller. Raises UnreadableImage.
    """
    if isinstance(source, np.ndarray):
        return _plain(_from_array(source), alpha)
    if isinstance(source, Image.Image):
        return _opened(source, alpha)
    if not isinstance(source, str | os.PathLike | bytes):
        raise InputError(f"expected a path, a URL, bytes, a PIL image or a uint8 array (H, W, 3), got {type(source).__name__}")
    if isinstance(source, bytes):
        data, shown = source, name or "picture"
    elif is_url(source):
        from seesay.images.fetch import fetch, printable_url  # http and TLS: 50 ms that no local file should pay

        data, shown = fetch(str(source)), name or printable_url(str(source))
    else:
        path = Path(source)
        shown = name or printable(path)
        data = read_bytes(path, shown)
    wanted = Wanted(decode, enough_px, alpha, most_pixels, srgb)
    try:
        if isolated.needed(data):
            return isolated.decoders().decode(data, shown, replace(wanted, srgb=True), DECODED.holding)
        return decoded(data, shown, wanted, DECODED.holding)
    except MemoryError:
        raise UnreadableImage(shown, NO_MEMORY, transient=True) from None


def read_bytes(path: Path, name: str) -> bytes:
    """The bytes of a picture file, or UnreadableImage with the reason."""
    try:
        size = path.stat().st_size
        if path.is_dir():
            raise UnreadableImage(name, "is a folder, not a picture. To take all its pictures, index it")
        check_bytes(size, name)
        return path.read_bytes()
    except FileNotFoundError:
        raise UnreadableImage(name, "no such file") from None
    except PermissionError:
        raise UnreadableImage(name, "no permission to read it", transient=True) from None
    except OSError as error:
        raise UnreadableImage(name, f"cannot be read ({error.strerror or error})", transient=True) from None
    except MemoryError:
        raise UnreadableImage(name, NO_MEMORY, transient=True) from None


def _opened(image: Image.Image, alpha: Alpha) -> Picture:
    if image.format == "TIFF":
        image.load()  # which turns it; what is left to be done is known only then
    turn = TURNS.get(orientation_of(image))
    return _plain(image if turn is None else image.transpose(turn), alpha)


def _plain(image: Image.Image, alpha: Alpha) -> Picture:
    if image.width * image.height == 0:
        raise UnreadableImage("picture", f"has no pixels: {image.width} x {image.height}")
    return Picture(to_rgb(image, alpha, managed=False), image.width, image.height, Metadata())


def _from_array(array: np.ndarray) -> Image.Image:
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3:
        raise InputError(
            f"expected a uint8 array (height, width, 3), got {array.dtype} {array.shape}. "
            "Scale floats to 0..255 and convert with .astype('uint8'); put channels last"
        )
    return Image.fromarray(np.ascontiguousarray(array))
