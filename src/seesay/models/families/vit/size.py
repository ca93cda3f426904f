"""Weights and multiplications of a Vision Transformer."""

from seesay.models.families.vit.config import VitConfig
from seesay.models.layers.size import block_parameters, projection_parameters, transformer_operations


def parameters(config: VitConfig, dim: int) -> int:
    """Number of weights, the projection's included."""
    width = config.width
    embeddings = 3 * config.patch_px**2 * width + (config.grid**2 + 2) * width
    norms = (2 if config.norm_before else 0) + 2
    scales = 2 * config.depth * width if config.layer_scale else 0
    blocks = config.depth * block_parameters(width, config.mlp_width)
    return embeddings + norms * width + scales + blocks + projection_parameters(config.projection, width, dim)


def operations(config: VitConfig, dim: int, tokens: int) -> float:
    """Multiplications for one image."""
    length = config.grid**2 + 1
    patches = 3 * config.patch_px**2 * config.width * length
    return transformer_operations(config.width, config.mlp_width, config.depth, length) + patches
