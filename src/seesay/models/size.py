"""Estimates a model's size, memory and speed from its configuration alone."""

import time

from seesay.models.registry import family_of
from seesay.models.tower_config import TowerConfig

TYPICAL_TOKENS = 16  # of a caption or a query; towers that pad to their context compute all of it
RUNTIME_MB = 100  # Python, numpy, ONNX Runtime, Pillow before any weights; a ViT-B/32 of 605 MB measured 603 MB in all
EFFICIENCY = 0.6  # of numpy's best matrix product; ViT-B/32 in ONNX Runtime measured 0.55 to 0.7 of it


def parameters(config: TowerConfig, dim: int) -> int:
    """Number of weights in a tower, its projection included (and a batch norm's running mean and variance not)."""
    return family_of(config).parameters(config, dim)


def operations(config: TowerConfig, dim: int, tokens: int = TYPICAL_TOKENS) -> float:
    """Multiplications for one image, or for one text of so many tokens."""
    return family_of(config).operations(config, dim, tokens)


def memory_mb(parameter_count: int) -> float:
    """Estimated memory of a process that runs towers of so many parameters in float32."""
    return RUNTIME_MB + 4 * parameter_count / 1e6


def multiplications_per_s() -> float:
    """This machine's speed: half the arithmetic of its best matrix product of a tower's size (takes half a second)."""
    import numpy as np

    size = 1024
    a = np.random.default_rng(0).standard_normal((size, size)).astype(np.float32)
    best = float("inf")
    for _ in range(12):
        start = time.perf_counter()
        a @ a
        best = min(best, time.perf_counter() - start)
    return size**3 / best
