"""The frame of a moving picture that stands for it."""

import numpy as np
from PIL import Image

MOST_FRAMES = 64
MOST_PIXELS = 64_000_000  # of all frames that are looked at
MOVING = ("GIF", "PNG", "WEBP", "AVIF")  # further pictures of other formats are pages, depths, small copies
SIDE = 32  # px, at which a frame is judged
DULL = 4.0  # levels by which a frame differs from its mean that shows next to nothing; a foggy photo has 15 and more


def seek_shown(image: Image.Image) -> None:
    """Goes to the first frame that shows something, the same every time; to the first of all where none does."""
    count = int(getattr(image, "n_frames", 1))
    if count < 2 or image.format not in MOVING:
        return
    most = min(count, MOST_FRAMES, max(1, MOST_PIXELS // max(image.width * image.height, 1)))
    for number in range(most):
        try:
            image.seek(number)
            if not _dull(image):
                return
        except (EOFError, OSError, SyntaxError, ValueError):  # the frames behind may be cut off
            break
    image.seek(0)


def _dull(image: Image.Image) -> bool:
    small = np.asarray(image.convert("RGB").resize((SIDE, SIDE)), dtype=np.float32)
    return float(np.abs(small - small.mean(axis=(0, 1))).mean()) < DULL
