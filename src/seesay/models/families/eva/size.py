"""Weights and multiplications of an EVA tower."""

from seesay.models.families.eva.config import EvaConfig
from seesay.models.layers.size import projection_parameters


def parameters(config: EvaConfig, dim: int) -> int:
    """Number of weights, the projection's included."""
    width, inner = config.width, config.mlp_width
    embeddings = (3 * config.patch_px**2 + 1) * width + (config.grid**2 + 2) * width
    norm = 1 if config.norm == "rms" else 2  # times its width
    attention = 4 * width**2 + width + (2 * width if config.qkv_bias else 0)
    mlp = _matrices(config) * width * inner + (_matrices(config) - 1) * inner + width
    block = attention + mlp + 2 * norm * width
    block += norm * (width + inner) if config.inner_norm else 0
    block += 2 * width if config.layer_scale else 0
    bias = dim if config.projection == "linear" and config.qkv_bias else 0
    projection = projection_parameters(config.projection, width, dim) + bias
    return embeddings + config.depth * block + norm * width + projection


def operations(config: EvaConfig, dim: int, tokens: int) -> float:
    """Multiplications for one image."""
    length, width = config.grid**2 + 1, config.width
    block = 4 * width**2 + _matrices(config) * width * config.mlp_width + 2 * length * width
    return length * (config.depth * block + 3 * config.patch_px**2 * width)


def _matrices(config: EvaConfig) -> int:
    """The number of matrices in an MLP."""
    return 3 if config.mlp == "swiglu" else 2
