"""An animation of pictures, as a GIF."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from seesay.errors import InputError
from seesay.system.files import atomic_write
from seesay.system.paths import printable

SHOWN_MS, LAST_MS = 100, 2500  # how long each picture is shown, and the last one


def write_gif(pictures: Sequence[np.ndarray], file: Path) -> None:
    """Writes pictures (H, W, 3) uint8 of one size as a GIF that begins again after the last. Raises InputError if it cannot be
    written."""
    palette = Image.fromarray(pictures[-1]).quantize(256, dither=Image.Dither.NONE)  # one for all, or still parts would flicker
    frames = [Image.fromarray(each).quantize(palette=palette, dither=Image.Dither.NONE) for each in pictures]
    durations = [SHOWN_MS] * (len(frames) - 1) + [LAST_MS]
    try:
        with atomic_write(file) as draft:
            frames[0].save(draft, "GIF", save_all=True, append_images=frames[1:], duration=durations, loop=0)
    except OSError as error:
        raise InputError(f"cannot write the animation to {printable(str(file))}: {error.strerror or error}") from None
