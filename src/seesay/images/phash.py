"""The perceptual hash of a picture: 64 bits that hardly change when it is resized, recompressed or recoloured a little.

The bits say which of the lowest 8 x 8 waves of the grey picture at 32 x 32 pixels are stronger than their median (as
`imagehash.phash` has them, bit for bit). The waves are kept, because the bits of turned and mirrored pictures follow from them.
"""

import numpy as np
from PIL import Image

SIDE, WAVES = 32, 8
# cos(pi k (2n + 1) / 2N): the discrete cosine transform, DCT-II
BASIS = np.cos(np.pi * np.outer(np.arange(WAVES), 2 * np.arange(SIDE) + 1) / (2 * SIDE))
LARGE = 1024  # pixels of the shorter side, from twice which on a picture is reduced first; a bit or two may differ then
FAINT = (
    2000.0  # length of the waves of a picture with nearly nothing in it; a noisy grey surface has 200, a photo 9,000 and more
)


def waves(image: Image.Image) -> np.ndarray:
    """(8, 8) float32, the lowest first."""
    if (times := min(image.size) // LARGE) > 1:
        image = image.reduce(times)
    grey = np.asarray(image.convert("L").resize((SIDE, SIDE), Image.Resampling.LANCZOS), dtype=np.float64)
    return np.asarray(4 * BASIS @ grey @ BASIS.T, dtype=np.float32)


def bits(waves: np.ndarray) -> np.ndarray:
    """(..., 8, 8) -> (..., 64) bool"""
    flat = waves.reshape(*waves.shape[:-2], WAVES * WAVES)
    return np.asarray(flat > np.median(flat, axis=-1, keepdims=True))


def faint(waves: np.ndarray) -> np.ndarray:
    """(..., 8, 8) -> (...) bool: the bits say nothing, since the picture is one surface."""
    # The first wave is the picture's mean.
    return np.asarray((waves**2).sum((-2, -1)) - waves[..., 0, 0] ** 2 < FAINT**2)


def turned(waves: np.ndarray) -> np.ndarray:
    """(..., 8, 8) -> (8, ..., 8, 8): the same pictures in all eight positions, as they are first."""
    signs = (-1.0) ** np.arange(WAVES, dtype=np.float32)
    positions = []
    for upright in (waves, np.swapaxes(waves, -1, -2)):
        for flipped in (upright, upright * signs[:, None]):
            positions += [flipped, flipped * signs]
    return np.stack(positions)
