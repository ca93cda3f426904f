"""Rotary positions on a grid: the angles by which queries and keys are turned."""

import numpy as np

from seesay.models.families.eva.config import EvaConfig

THETA = 10000.0


def rotation(config: EvaConfig) -> tuple[np.ndarray, np.ndarray] | None:
    """Cosines and sines (1 + grid * grid, head_width / 2) float32 of each token's angles; None without rotary positions.

    Features 2i and 2i + 1 of a head are the pair that angle i turns: the first half of the pairs by the patch's row, the second
    by its column. The class token, the first, is not turned. Another grid than `rotary_grid` spans the same range.
    """
    if config.rotary_grid is None:
        return None
    pairs = config.head_width // 4  # of each axis
    frequencies = THETA ** -(np.arange(pairs) / pairs)
    angles = np.outer(np.arange(config.grid) / config.grid * config.rotary_grid, frequencies)  # (grid, pairs)
    rows, columns = np.repeat(angles, config.grid, axis=0), np.tile(angles, (config.grid, 1))
    turned = np.concatenate([np.zeros((1, 2 * pairs)), np.concatenate([rows, columns], axis=1)])
    return np.cos(turned).astype(np.float32), np.sin(turned).astype(np.float32)
