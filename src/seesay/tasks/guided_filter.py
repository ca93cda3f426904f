"""The guided filter (He, Sun and Tang 2013): smooths maps, and keeps the edges of a picture in them.

Within every square of the picture a map is taken to be a linear function of the three colours; a point's value is the mean of
what the squares that hold it say. All means are differences of cumulative sums, so that the radius costs nothing.
"""

import numpy as np

CHUNK = 16  # maps that are filtered at a time, for the memory


def guided_filter(guide: np.ndarray, maps: np.ndarray, radius: int, eps: float) -> np.ndarray:
    """maps (H, W, L), filtered along the edges of guide (H, W, 3) in 0..1 -> (H, W, L) float32.

    radius: squares have sides of 2 * radius + 1 points, fewer at the border. eps: variances of colours well below it are taken
    for flat.
    """
    guide = guide.astype(np.float64)
    mean = box_mean(guide, radius)
    covariance = box_mean(guide[..., :, None] * guide[..., None, :], radius) - mean[..., :, None] * mean[..., None, :]
    inverse = np.linalg.inv(covariance + eps * np.eye(3))
    filtered = np.empty(maps.shape, dtype=np.float32)
    for start in range(0, maps.shape[2], CHUNK):
        part = maps[:, :, start : start + CHUNK].astype(np.float64)
        part_mean = box_mean(part, radius)
        together = box_mean(guide[..., :, None] * part[..., None, :], radius) - mean[..., :, None] * part_mean[..., None, :]
        slopes = inverse @ together  # (H, W, 3, chunk)
        offsets = part_mean - np.einsum("yxc,yxcl->yxl", mean, slopes)
        slopes, offsets = box_mean(slopes, radius), box_mean(offsets, radius)
        filtered[:, :, start : start + CHUNK] = np.einsum("yxc,yxcl->yxl", guide, slopes) + offsets
    return filtered


def box_mean(values: np.ndarray, radius: int) -> np.ndarray:
    """The mean over the square of 2 * radius + 1 points around each point, of which those outside (H, W, ...) do not count."""
    for axis in (0, 1):
        length = values.shape[axis]
        sums = np.concatenate([np.zeros_like(values.take([0], axis)), values.cumsum(axis)], axis)
        at = np.arange(length)
        first, end = np.maximum(at - radius, 0), np.minimum(at + radius + 1, length)
        counts = (end - first).reshape([-1 if other == axis else 1 for other in range(values.ndim)])
        values = (sums.take(end, axis) - sums.take(first, axis)) / counts
    return values
