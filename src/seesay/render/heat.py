"""A heat map drawn over its picture."""

import numpy as np
from PIL import Image

LONGEST_PX = 2048
STRONGEST = 0.75  # opacity of the hottest part
# From cold to hot, as in plasma-like scales: lightness rises with heat, so that it can be read without colours.
SCALE = ((13, 8, 135), (126, 3, 168), (204, 71, 120), (248, 149, 64), (240, 249, 33))


def draw_heat(picture: Image.Image, heat: np.ndarray) -> Image.Image:
    """A copy of an RGB picture, of at most 2048 pixels a side, coloured by a heat map (rows, columns) from its least value to
    its greatest. Cold parts are dark and without colour."""
    image = picture.convert("RGB")
    image.thumbnail((LONGEST_PX, LONGEST_PX))
    spread = float(heat.max() - heat.min())
    shares = (heat - heat.min()) / spread if spread > 0 else np.zeros(heat.shape)
    drawn = Image.fromarray(shares.astype(np.float32)).resize(image.size, Image.Resampling.BICUBIC)
    share = np.clip(np.asarray(drawn), 0, 1)
    at = share * (len(SCALE) - 1)
    colours = np.stack([np.interp(at, range(len(SCALE)), channel) for channel in zip(*SCALE, strict=True)], axis=-1)
    levels = np.asarray(image, dtype=np.float32)
    grey = np.repeat(levels.mean(axis=2, keepdims=True), 3, axis=2)
    base = 0.5 * grey + 0.5 * levels
    opacity = (0.35 + (STRONGEST - 0.35) * share)[:, :, None]
    return Image.fromarray(((1 - opacity) * base + opacity * colours).round().astype(np.uint8))
