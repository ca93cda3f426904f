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
    projection = projection_parameters(config.projection, config.feature_width, dim)
    return embeddings + norms * width + scales + blocks + _attention_pool(config) + projection


def _attention_pool(config: VitConfig) -> int:
    """Queries, their norm and the last norm, four layers; the tokens' norm is counted as the last norm of other towers."""
    pool = config.attention_pool
    return 0 if pool is None else pool.width * (pool.queries + 4 + 2 * (pool.width + 1) + 2 * (config.width + 1))


def operations(config: VitConfig, dim: int, tokens: int) -> float:
    """Multiplications for one image."""
    length = config.grid**2 + 1
    patches = 3 * config.patch_px**2 * config.width * length
    pool = 0 if config.attention_pool is None else 2 * length * config.width * config.attention_pool.width
    return transformer_operations(config.width, config.mlp_width, config.depth, length) + patches + pool
