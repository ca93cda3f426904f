"""Perceptual hash: 64 bits that hardly change when a picture is resized, recompressed or slightly recoloured.

A bit tells whether one of the lowest 8 x 8 cosine waves of the grey picture at 32 x 32 pixels is stronger than their median;
the bits equal those of `imagehash.phash`. The waves are stored, because the hashes of rotated and mirrored pictures follow from
them.
"""

import numpy as np
from PIL import Image

SIDE = 32  # pixels
WAVES = 8  # per direction
# The discrete cosine transform, DCT-II: cos(pi k (2n + 1) / 2N)
BASIS = np.cos(np.pi * np.outer(np.arange(WAVES), 2 * np.arange(SIDE) + 1) / (2 * SIDE))
LARGE = 1024  # pixels of the shorter side; pictures of twice as many are reduced first, which may change a bit or two
FAINT = 2000.0  # norm of the waves below which a picture shows next to nothing: a noisy grey surface has 200, photos over 9,000


def waves(image: Image.Image) -> np.ndarray:
    """The waves of an image: (8, 8) float32, the lowest frequencies first."""
    if (times := min(image.size) // LARGE) > 1:
        image = image.reduce(times)
    grey = np.asarray(image.convert("L").resize((SIDE, SIDE), Image.Resampling.LANCZOS), dtype=np.float64)
    return np.asarray(4 * BASIS @ grey @ BASIS.T, dtype=np.float32)


def bits(waves: np.ndarray) -> np.ndarray:
    """The hashes of waves (..., 8, 8) -> (..., 64) bool."""
    flat = waves.reshape(*waves.shape[:-2], WAVES * WAVES)
    return np.asarray(flat > np.median(flat, axis=-1, keepdims=True))


def faint(waves: np.ndarray) -> np.ndarray:
    """Waves (..., 8, 8) -> (...) bool: whether the picture is one surface, so that its bits mean nothing."""
    # The first wave, the mean brightness, does not count.
    return np.asarray((waves**2).sum((-2, -1)) - waves[..., 0, 0] ** 2 < FAINT**2)


def turned(waves: np.ndarray) -> np.ndarray:
    """Waves (..., 8, 8) -> (8, ..., 8, 8): of the picture in all eight orientations, the given one first."""
    signs = (-1.0) ** np.arange(WAVES, dtype=np.float32)
    orientations = []
    for upright in (waves, np.swapaxes(waves, -1, -2)):
        for flipped in (upright, upright * signs[:, None]):
            orientations += [flipped, flipped * signs]
    return np.stack(orientations)
