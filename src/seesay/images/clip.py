"""Frames of an animation (GIF, WebP, APNG), evenly chosen, within the limits of `images.read`."""

import io
import os
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from seesay.errors import UnreadableImage
from seesay.images.decoding import isolated
from seesay.images.decoding.decode import MAX_PIXELS, TRANSPOSITIONS, Alpha, check_bytes, check_pixels, to_rgb
from seesay.images.decoding.frames import is_blank
from seesay.images.decoding.headers import format_of
from seesay.images.decoding.memory import BYTES_PER_PIXEL, DECODING
from seesay.images.metadata import orientation_of
from seesay.images.read import ImageInput, read_bytes
from seesay.system.paths import is_url, printable

SUFFIXES = (".gif", ".webp", ".png", ".apng")
FORMATS = ("GIF", "WEBP", "PNG")
HEAD_BYTES = 64 * 1024  # where the header of a WebP or PNG says that it moves
MOST_FRAMES = 2000
KEPT_PIXELS = 64_000_000  # of the frames that are chosen; fewer are, of large ones
MOST_PIXELS = 256_000_000  # of all frames that are decoded, since each is drawn over the one before; about two seconds


def clip_frames(source: ImageInput, frames: int, *, alpha: Alpha = "white", most_pixels: int = MAX_PIXELS) -> list[Image.Image]:
    """At most `frames` frames of an animation, in RGB and upright, evenly chosen; nearly blank ones only if all are.

    source: a path, or a file's bytes. Empty for anything else, and where no frame can be read: `images.read` says what
    is wrong with it. Only the first MOST_FRAMES frames or MOST_PIXELS pixels are looked at. most_pixels: of a frame, of which
    larger ones are not decoded.
    """
    data = _animation(source)
    if data is None or isolated.needs_process(data):
        return []
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            check_pixels(*image.size, "picture", most_pixels)
            pixels = max(image.width * image.height, 1)
            frames = max(1, min(frames, KEPT_PIXELS // pixels))
            with DECODING.reserve(pixels * (BYTES_PER_PIXEL + 3 * frames)):
                chosen = list(_chosen(image, frames, alpha))
    except Exception:  # decoders raise nearly anything for a damaged file; the picture is then read as a still one
        return []
    return [frame for frame in chosen if not is_blank(frame)] or chosen


def _chosen(image: Image.Image, frames: int, alpha: Alpha) -> Iterator[Image.Image]:
    """Frames at the middles of `frames` equal parts of the animation."""
    count = min(int(getattr(image, "n_frames", 1)), MOST_FRAMES, max(1, MOST_PIXELS // max(image.width * image.height, 1)))
    if count < 2:
        return
    transposition = TRANSPOSITIONS.get(orientation_of(image))
    for number in sorted({(2 * part + 1) * count // (2 * frames) for part in range(frames)}):
        try:
            image.seek(number)
            frame = to_rgb(image.copy(), alpha)
        except (EOFError, OSError, SyntaxError, ValueError):  # later frames may be truncated
            return
        yield frame if transposition is None else frame.transpose(transposition)


def _animation(source: ImageInput) -> bytes | None:
    """The bytes of a file that may be an animation; None for any other source."""
    if isinstance(source, bytes):
        return source if may_move(source[:HEAD_BYTES]) else None
    if is_url(source) or not isinstance(source, str | os.PathLike) or Path(source).suffix.lower() not in SUFFIXES:
        return None
    try:
        with open(source, "rb") as stream:
            if not may_move(stream.read(HEAD_BYTES)):
                return None
        data = read_bytes(Path(source), printable(source))
        check_bytes(len(data), printable(source))
    except (OSError, UnreadableImage):
        return None
    return data


def may_move(head: bytes) -> bool:
    """Whether a file whose first HEAD_BYTES these are may be an animation."""
    match format_of(head):
        case "GIF":
            return True
        case "WEBP":
            return head[12:16] == b"VP8X" and bool(head[20] & 2)
        case "PNG":
            return b"acTL" in head
    return False
