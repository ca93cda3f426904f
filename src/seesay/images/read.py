"""Reads one picture: within limits, upright, RGB.

A file is not trusted: its format must be on the list, its bytes and pixels within limits before anything is decoded, and
whatever goes wrong is an UnreadableImage of this picture alone.
"""

import io
import os
import re
import threading
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image, ImageFile, UnidentifiedImageError

from seesay.errors import InputError, UnreadableImage
from seesay.images.exif import Exif, read_exif
from seesay.paths import is_url, printable

ImageInput = str | os.PathLike[str] | bytes | Image.Image | np.ndarray
Decode = Literal["exact", "fast"]

# Everything else that Pillow could open (EPS runs a program, PSD, FITS, ...) is never reached.
FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "GIF", "BMP", "TIFF")
SUFFIXES = frozenset((".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".avif", ".gif", ".bmp", ".tif", ".tiff"))

# EXIF orientation -> what brings the picture upright.
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

MAX_BYTES = 512 * 2**20
MAX_PIXELS = 178_956_970  # Pillow's own hard limit; 0.5 GB once decoded
# Above this many decoded pixels pictures are decoded one at a time, so that a folder of panoramas cannot exhaust memory.
LARGE_PIXELS = 32_000_000
_one_large_at_a_time = threading.Lock()


@dataclass(frozen=True)
class Picture:
    """A decoded picture. `width` and `height` are those of the upright original, in pixels, whatever was decoded."""

    image: Image.Image  # mode RGB
    width: int
    height: int
    exif: Exif


def read(
    source: ImageInput,
    *,
    decode: Decode = "exact",
    enough_px: int = 0,
    alpha: Literal["white", "drop"] = "white",
    name: str | None = None,
    most_pixels: int = MAX_PIXELS,
) -> Picture:
    """Reads a file (str or Path), a URL (str, http or https), encoded bytes, a PIL image or a uint8 array (H, W, 3).

    decode "fast" lets a JPEG come out of the decoder at 1/2, 1/4 or 1/8 of its size, as long as both sides keep twice
    `enough_px`; pixels then differ slightly (docs/benchmarks.md says by how much). A file of more than most_pixels is not
    decoded. Raises UnreadableImage.
    """
    if isinstance(source, np.ndarray):
        return _plain(_from_array(source), alpha)
    if isinstance(source, Image.Image):
        turn = TURNS.get(read_exif(source).orientation)
        return _plain(source if turn is None else source.transpose(turn), alpha)
    if isinstance(source, bytes):
        return _decode(io.BytesIO(source), len(source), name or "picture", decode, enough_px, alpha, most_pixels)
    if not isinstance(source, str | os.PathLike):
        raise InputError(f"expected a path, a URL, bytes, a PIL image or a uint8 array (H, W, 3), got {type(source).__name__}")
    if is_url(source):
        from seesay.images.fetch import fetch, printable_url  # http and TLS: 50 ms that no local file should pay

        data = fetch(source)
        return _decode(io.BytesIO(data), len(data), name or printable_url(source), decode, enough_px, alpha, most_pixels)
    path = Path(source)
    shown = name or printable(path)
    return _decode(io.BytesIO(read_bytes(path, shown)), 0, shown, decode, enough_px, alpha, most_pixels)


def read_bytes(path: Path, name: str) -> bytes:
    """The bytes of a picture file, or UnreadableImage with the reason."""
    try:
        size = path.stat().st_size
        if path.is_dir():
            raise UnreadableImage(name, "is a folder, not a picture. To take all its pictures, index it")
        _check_bytes(size, name)
        return path.read_bytes()
    except FileNotFoundError:
        raise UnreadableImage(name, "no such file") from None
    except PermissionError:
        raise UnreadableImage(name, "no permission to read it", transient=True) from None
    except OSError as error:
        raise UnreadableImage(name, f"cannot be read ({error.strerror or error})", transient=True) from None


def _check_bytes(size: int, name: str) -> None:
    if size == 0:
        raise UnreadableImage(name, "is empty (0 bytes)")
    if size > MAX_BYTES:
        raise UnreadableImage(name, f"is {size / 2**20:.0f} MB; at most {MAX_BYTES // 2**20} MB are read")


def _decode(
    stream: io.BytesIO,
    size: int,
    name: str,
    decode: Decode,
    enough_px: int,
    alpha: Literal["white", "drop"],
    most_pixels: int,
) -> Picture:
    if size:
        _check_bytes(size, name)
    elif stream.getbuffer().nbytes == 0:
        raise UnreadableImage(name, "is empty (0 bytes)")
    try:
        with Image.open(stream, formats=FORMATS) as image:
            _check_pixels(image, name, most_pixels)
            exif = read_exif(image)
            width, height = image.size if exif.orientation < 5 else image.size[::-1]
            if decode == "fast" and enough_px:
                image.draft(image.mode, (2 * enough_px, 2 * enough_px))
            large = image.width * image.height > LARGE_PIXELS
            with _one_large_at_a_time if large else nullcontext():
                image.load()
                turn = TURNS.get(exif.orientation)
                upright = image if turn is None else image.transpose(turn)
                return Picture(_to_rgb(upright, alpha), width, height, exif)
    except UnidentifiedImageError:
        raise UnreadableImage(name, _not_a_picture(stream)) from None
    except Image.DecompressionBombError:
        raise UnreadableImage(name, f"has more than {MAX_PIXELS / 1e6:.0f} million pixels") from None
    except UnreadableImage:
        raise
    except MemoryError:
        raise UnreadableImage(name, "does not fit into memory", transient=True) from None
    # A damaged file can surface as nearly anything from inside a decoder; it must stay an error of this picture alone.
    except Exception as error:
        raise UnreadableImage(name, f"is damaged or cut short{_told(error)}") from error


def _check_pixels(image: ImageFile.ImageFile, name: str, most: int) -> None:
    width, height = image.size
    if width * height > most:
        raise UnreadableImage(
            name, f"is {width} x {height} = {width * height / 1e6:.0f} million pixels; at most {most / 1e6:.0f} are read"
        )


def _not_a_picture(stream: io.BytesIO) -> str:
    start = stream.getvalue()[:16]
    known = ", ".join(FORMATS)
    if start[4:8] == b"ftyp":
        return f"is a video or an HEIC picture, which is not read; convert it to one of {known}"
    return f"is not a picture that SeeSay reads ({known})"


def _told(error: Exception) -> str:
    """A decoder's own words in brackets; none where they quote what is in the file, which a report is not to spread."""
    words = str(error)
    return f" ({words})" if re.fullmatch(r"[\w ,.:;()/%+-]+", words, re.ASCII) else ""


def _plain(image: Image.Image, alpha: Literal["white", "drop"]) -> Picture:
    if image.width * image.height == 0:
        raise UnreadableImage("picture", f"has no pixels: {image.width} x {image.height}")
    return Picture(_to_rgb(image, alpha), image.width, image.height, Exif())


def _from_array(array: np.ndarray) -> Image.Image:
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3:
        raise InputError(
            f"expected a uint8 array (height, width, 3), got {array.dtype} {array.shape}. "
            "Scale floats to 0..255 and convert with .astype('uint8'); put channels last"
        )
    return Image.fromarray(np.ascontiguousarray(array))


def _to_rgb(image: Image.Image, alpha: Literal["white", "drop"]) -> Image.Image:
    """Any mode to RGB. 16-bit grey keeps its upper byte, which Pillow's own convert() would clip to white."""
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        return _wide_grey(image).convert("RGB")
    if alpha == "white" and image.has_transparency_data:
        ground = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(ground, image.convert("RGBA")).convert("RGB")
    if image.mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")  # straight to RGB, Pillow would warn
    return image.convert("RGB")


def _wide_grey(image: Image.Image) -> Image.Image:
    values = np.asarray(image, dtype=np.float64)
    top = float(values.max(initial=0))
    # Floats are taken as 0..1, 16-bit integers as 0..65535; anything smaller is 8-bit data in a wide file.
    full = 1.0 if image.mode == "F" and top <= 1 else 65535.0 if top > 255 else 255.0
    if image.mode.startswith("I;16"):
        full = 65535.0
    return Image.fromarray(np.clip(values / full * 255 + 0.5, 0, 255).astype(np.uint8))
