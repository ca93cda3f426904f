"""Grey pictures of more than 8 bits -> 8 bits, so that they show what is in them."""

import numpy as np
from PIL import Image

from seesay.images.decoding.strips import strips

SLACK = 1.01  # what rounding and sharpening add to a picture in 0..1
FULL = tuple(float(2**bits - 1) for bits in (8, 10, 12, 14, 16))  # the brightest level, by the bits that were used
WIDE = ("I", "F")


def wide(image: Image.Image) -> bool:
    return image.mode in WIDE or image.mode.startswith("I;16")


def to_8_bits(image: Image.Image, *, bits: int | None = None, white_is_zero: bool = False) -> Image.Image:
    """Wide grey -> mode L. bits: how many the file says that it uses. What is no number is black."""
    parts = strips(image)
    ranges = [_range(_strip(image, *rows)) for rows in parts]
    low = min((low for low, _ in ranges), default=0.0)
    high = max((high for _, high in ranges), default=0.0)
    low, high = _scale(low, high, bits, floats=image.mode == "F")
    made = Image.new("L", image.size)
    for top, bottom in parts:
        values = _strip(image, top, bottom)
        with np.errstate(invalid="ignore", over="ignore"):
            levels = np.nan_to_num((values - low) / (high - low) * 255 + 0.5, nan=0.0, posinf=255.0, neginf=0.0)
        grey = np.clip(levels, 0, 255).astype(np.uint8)
        made.paste(Image.fromarray(255 - grey if white_is_zero else grey), (0, top))
    return made


def _strip(image: Image.Image, top: int, bottom: int) -> np.ndarray:
    return np.asarray(image.crop((0, top, image.width, bottom)), dtype=np.float64)


def _range(values: np.ndarray) -> tuple[float, float]:
    there = values[np.isfinite(values)]
    return (float(there.min()), float(there.max())) if there.size else (0.0, 0.0)


def _scale(low: float, high: float, bits: int | None, *, floats: bool) -> tuple[float, float]:
    """The values that become black and white: as the file says them, as its kind has them, else those that are in it."""
    if bits is not None and 8 < bits < 16 and low >= 0 and high < 2**bits:
        return 0.0, float(2**bits - 1)
    if low >= 0 and floats and high <= SLACK:
        return 0.0, 1.0
    if low >= 0 and not floats and high <= FULL[-1]:
        return 0.0, next(full for full in FULL if high <= full)
    if low >= 0 and floats and FULL[0] / 2 < high <= FULL[0]:
        return 0.0, FULL[0]
    return (low, high) if high > low else (low, low + 1.0)
