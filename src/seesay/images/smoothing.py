"""A picture in the corner of a grey square, smoothed and resized: how OWLv2's authors prepare pictures.

A Gaussian against aliasing and linear interpolation, both in the arithmetic of SciPy's `ndimage` (`gaussian_filter` and `zoom`
with mode "mirror" and `grid_mode`), to the last bit: other resizing moves every pixel by parts of one, and boxes with them.
Only the rows and columns that the small picture is made of are smoothed.
"""

import numpy as np

GREY = np.float32(0.5)
TRUNCATE = 4.0  # reach of the Gaussian, in standard deviations


def corner_square(levels: np.ndarray, size_px: int) -> np.ndarray:
    """Levels (H, W, 3) uint8 -> (size_px, size_px, 3) float32 from 0 to 1, the longer side over all of it.

    Source: the preprocessing of OWLv2 (Minderer et al. 2023), as Hugging Face's Owlv2ImageProcessor of version 4 has it.
    """
    height, width = levels.shape[:2]
    side = max(height, width)
    shares = (np.arange(256) * (1 / 255)).astype(np.float32)
    low, high = shares[levels.min()], shares[levels.max()]
    if height != width:
        low, high = min(low, GREY), max(high, GREY)
    taps, weights = _taps(side, size_px)
    needed, place = np.unique(taps, return_inverse=True)
    place = place.reshape(taps.shape)
    kernel = _kernel((side / size_px - 1) / 2)
    out = np.empty((size_px, size_px, levels.shape[2]), dtype=np.float32)
    for channel in range(levels.shape[2]):
        padded = np.full((height, side), GREY)
        padded[:, :width] = shares[levels[..., channel]]
        rows = _smoothed(padded, side, needed, kernel)  # (needed rows, side)
        small = _smoothed(rows.T, side, needed, kernel).T  # (needed rows, needed columns)
        out[..., channel] = _interpolated(small.astype(np.float64), place, weights)
    return np.asarray(np.clip(out, low, high))


def _kernel(sigma: float) -> np.ndarray:
    """Weights of a Gaussian, float64, their sum 1; one weight where nothing is smoothed."""
    if sigma <= 1e-15:
        return np.ones(1)
    reach = int(TRUNCATE * sigma + 0.5)
    weights = np.exp(-0.5 / (sigma * sigma) * np.arange(-reach, reach + 1) ** 2)
    return np.asarray(weights / weights.sum())


def _smoothed(values: np.ndarray, length: int, needed: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Rows `needed` of values (L, K) after smoothing along the first axis; rows from L to `length` are grey."""

    def rows(numbers: np.ndarray) -> np.ndarray:
        numbers = _mirrored(numbers, length)
        found = values[np.minimum(numbers, len(values) - 1)].astype(np.float64)
        found[numbers >= len(values)] = GREY
        return np.asarray(found)

    reach = len(kernel) // 2
    total = rows(needed) * kernel[reach]
    for step in range(reach, 0, -1):  # the order in which SciPy adds
        total += (rows(needed - step) + rows(needed + step)) * kernel[reach - step]
    return np.asarray(total, dtype=np.float32)


def _mirrored(numbers: np.ndarray, length: int) -> np.ndarray:
    """Indices beyond the ends, reflected at the first and the last element."""
    if length == 1:
        return np.zeros_like(numbers)
    period = 2 * length - 2
    numbers = np.abs(numbers) % period
    return np.asarray(np.where(numbers >= length, period - numbers, numbers))


def _taps(length: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Linear interpolation from `length` elements to `count` -> (indices, weights), both (count, 2)."""
    at = (np.arange(count) + 0.5) * (length / count) - 0.5
    at = np.abs(at) if length > 1 else np.zeros(count)  # only the first may lie before the first element
    start = np.floor(at)
    first = 1 - (at - start)
    numbers = start.astype(np.int64)[:, None] + np.array([0, 1])
    return _mirrored(numbers, length), np.stack([first, 1 - first], axis=1)


def _interpolated(values: np.ndarray, place: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(R, C) float64 -> (count, count): of every element's two rows and two columns, with their weights."""
    total = np.zeros((len(place), len(place)))
    for row in (0, 1):
        for column in (0, 1):
            corner = values[np.ix_(place[:, row], place[:, column])]
            total += corner * weights[:, row, None] * weights[None, :, column]
    return total
