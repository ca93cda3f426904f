"""Converts greyscale pictures of more than 8 bits to 8 bits, over the range that they use."""

import numpy as np
from PIL import Image

from seesay.images.decoding.strips import strips

SLACK = 1.01  # greatest value in a picture of 0..1 after rounding and sharpening
FULL = tuple(float(2**bits - 1) for bits in (8, 10, 12, 14, 16))  # the brightest level by the number of bits in use
DEEP_MODES = ("I", "F")


def is_deep(image: Image.Image) -> bool:
    """Whether an image has more than 8 bits."""
    return image.mode in DEEP_MODES or image.mode.startswith("I;16")


def to_8_bits(image: Image.Image, *, bits: int | None = None, white_is_zero: bool = False) -> Image.Image:
    """A deep image in mode L. bits: in use, according to the file. NaN becomes black."""
    parts = strips(image)
    ranges = [_range(_strip(image, *rows)) for rows in parts]
    low = min((low for low, _ in ranges), default=0.0)
    high = max((high for _, high in ranges), default=0.0)
    low, high = _scale(low, high, bits, floats=image.mode == "F")
    levels_8 = Image.new("L", image.size)
    for top, bottom in parts:
        values = _strip(image, top, bottom)
        with np.errstate(invalid="ignore", over="ignore"):
            levels = np.nan_to_num((values - low) / (high - low) * 255 + 0.5, nan=0.0, posinf=255.0, neginf=0.0)
        grey = np.clip(levels, 0, 255).astype(np.uint8)
        levels_8.paste(Image.fromarray(255 - grey if white_is_zero else grey), (0, top))
    return levels_8


def _strip(image: Image.Image, top: int, bottom: int) -> np.ndarray:
    return np.asarray(image.crop((0, top, image.width, bottom)), dtype=np.float64)


def _range(values: np.ndarray) -> tuple[float, float]:
    finite = values[np.isfinite(values)]
    return (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)


def _scale(low: float, high: float, bits: int | None, *, floats: bool) -> tuple[float, float]:
    """The values that become black and white: by the file's bits, else by the usual range, else the range of its values."""
    if bits is not None and 8 < bits < 16 and low >= 0 and high < 2**bits:
        return 0.0, float(2**bits - 1)
    if low >= 0 and floats and high <= SLACK:
        return 0.0, 1.0
    if low >= 0 and not floats and high <= FULL[-1]:
        return 0.0, next(full for full in FULL if high <= full)
    if low >= 0 and floats and FULL[0] / 2 < high <= FULL[0]:
        return 0.0, FULL[0]
    return (low, high) if high > low else (low, low + 1.0)
