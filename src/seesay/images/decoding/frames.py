"""Selects the frame that represents an animation."""

import numpy as np
from PIL import Image

MOST_FRAMES = 64
MOST_PIXELS = 64_000_000  # of all frames that are decoded
ANIMATED = ("GIF", "PNG", "WEBP", "AVIF")  # several images in other formats are pages, depth maps, thumbnails
SIDE = 32  # pixels, at which a frame is judged
BLANK = 4.0  # mean difference from the frame's mean, in levels, of a frame that shows nothing; a foggy photo has 15 and more


def seek_informative_frame(image: Image.Image) -> None:
    """Seeks the first frame that is not nearly blank, or the first of all if every one is; always the same frame."""
    count = int(getattr(image, "n_frames", 1))
    if count < 2 or image.format not in ANIMATED:
        return
    most = min(count, MOST_FRAMES, max(1, MOST_PIXELS // max(image.width * image.height, 1)))
    for number in range(most):
        try:
            image.seek(number)
            if not is_blank(image):
                return
        except (EOFError, OSError, SyntaxError, ValueError):  # later frames may be truncated
            break
    image.seek(0)


def is_blank(image: Image.Image) -> bool:
    """Whether a frame shows nearly nothing: one colour all over."""
    small = np.asarray(image.convert("RGB").resize((SIDE, SIDE)), dtype=np.float32)
    return float(np.abs(small - small.mean(axis=(0, 1))).mean()) < BLANK
