"""Estimates a model's size, memory and speed from its configuration alone."""

from seesay.models.registry import family_of
from seesay.models.tower_config import TowerConfig

TYPICAL_TOKENS = 16  # of a caption or a query; towers that pad to their context compute all of it
RUNTIME_MB = 100  # Python, numpy, ONNX Runtime, Pillow before any weights; a ViT-B/32 of 605 MB measured 603 MB in all
EFFICIENCY = 0.8  # of `engines.speed` on all cores: on one, ViT-B/32 and RN50 reach 0.8 to 1.1 of it; on several, less


def parameters(config: TowerConfig, dim: int) -> int:
    """Number of weights in a tower, its projection included (and a batch norm's running mean and variance not)."""
    return family_of(config).parameters(config, dim)


def operations(config: TowerConfig, dim: int, tokens: int = TYPICAL_TOKENS) -> float:
    """Multiplications for one image, or for one text of so many tokens."""
    return family_of(config).operations(config, dim, tokens)


def memory_mb(parameter_count: int) -> float:
    """Estimated memory of a process that runs towers of so many parameters in float32."""
    return RUNTIME_MB + 4 * parameter_count / 1e6
