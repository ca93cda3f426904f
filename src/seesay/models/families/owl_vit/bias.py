"""The box that each patch starts from: its own place and size, before its head moves it."""

import numpy as np

SMALL = np.float32(1e-4)


def box_bias(grid: int) -> np.ndarray:
    """(grid * grid, 4) float32: logits of centre x, centre y, width and height, as OWL-ViT's published code has them.

    The centre is the patch's lower right corner, not its middle, so the last ones are at the logit of nearly 1.
    """
    steps = np.arange(1, grid + 1, dtype=np.float32) / np.float32(grid)
    columns, rows = np.tile(steps, grid), np.repeat(steps, grid)
    side = np.full(grid * grid, np.float32(1) / np.float32(grid))
    return np.stack([_logit(column) for column in (columns, rows, side, side)], axis=1)


def _logit(share: np.ndarray) -> np.ndarray:
    return np.log(share + SMALL) - np.log1p(-share + SMALL)
