"""Reads one picture from any source: within limits, auto-rotated, RGB.

Files are not trusted. Format, bytes and pixels are checked before anything is decoded; pictures that may take long are decoded
in a process of their own; whatever goes wrong is an UnreadableImage of this picture alone.
"""

import os
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from seesay.errors import DamagedImage, InputError, UnreadableImage
from seesay.images.decoding import isolated
from seesay.images.decoding.decode import (
    MAX_PIXELS,
    NO_MEMORY,
    TRANSPOSITIONS,
    Alpha,
    Decode,
    DecodeOptions,
    Picture,
    check_bytes,
    decode_picture,
    to_rgb,
)
from seesay.images.decoding.memory import DECODING
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

    decode "fast": a JPEG is decoded at 1/2, 1/4 or 1/8 of its size, as long as both sides keep twice `enough_px`; its pixels
    then differ slightly (docs/benchmarks.md). alpha: how transparency is handled. name: of the picture, for errors.
    most_pixels: more are not decoded. srgb: colours are those that a viewer shows, converted from the file's profile; False may
    leave them unconverted, with the picture's `profile` for later, when fewer pixels are left. A PIL image keeps its values,
    because CLIP's own preprocessing ignores profiles and people compare with it. Raises UnreadableImage, InputError.
    """
    if isinstance(source, np.ndarray):
        return _plain(_from_array(source), alpha)
    if isinstance(source, Image.Image):
        return _opened(source, alpha)
    if not isinstance(source, str | os.PathLike | bytes):
        raise InputError(f"expected a path, a URL, bytes, a PIL image or a uint8 array (H, W, 3), got {type(source).__name__}")
    if isinstance(source, bytes):
        data, label = source, name or "picture"
    elif is_url(source):
        from seesay.images.fetch import fetch, printable_url  # http and TLS take 50 ms to import

        data, label = fetch(str(source)), name or printable_url(str(source))
    else:
        path = Path(source)
        label = name or printable(path)
        data = read_bytes(path, label)
    options = DecodeOptions(decode, enough_px, alpha, most_pixels, srgb)
    try:
        if isolated.needs_process(data):
            return isolated.decoders().decode(data, label, replace(options, srgb=True), DECODING.reserve)
        return decode_picture(data, label, options, DECODING.reserve)
    except MemoryError:
        raise UnreadableImage(label, NO_MEMORY, transient=True) from None


def warn_damaged(picture: Picture, source: object, name: str | None = None) -> None:
    """A DamagedImage warning where a file was read as far as it goes. name: of the picture, where the source is none."""
    if picture.note is None:
        return
    if is_url(source):
        from seesay.images.fetch import printable_url

        name = printable_url(source)
    elif isinstance(source, str | os.PathLike):
        name = printable(source)
    warnings.warn(f"{name or 'picture'}: {picture.note}", DamagedImage, stacklevel=3)


def read_bytes(path: Path, name: str) -> bytes:
    """The bytes of a picture's file. name: of the picture, for errors. Raises UnreadableImage with the reason."""
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
        image.load()  # Pillow rotates a TIFF when it loads it, and only then is its orientation what remains to be done
    transposition = TRANSPOSITIONS.get(orientation_of(image))
    return _plain(image if transposition is None else image.transpose(transposition), alpha)


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
