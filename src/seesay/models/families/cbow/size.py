"""Weights and multiplications of the mean of word embeddings."""

from seesay.models.families.cbow.config import CbowConfig
from seesay.models.layers.size import projection_parameters


def parameters(config: CbowConfig, dim: int) -> int:
    """Number of weights, the projection's included."""
    return config.vocabulary * config.width + projection_parameters(config.projection, config.width, dim)


def operations(config: CbowConfig, dim: int, tokens: int) -> float:
    """Multiplications for one text, of any length."""
    return config.width * dim
