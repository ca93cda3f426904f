"""Weights and multiplications of SigLIP's Vision Transformer."""

from seesay.models.families.siglip_vit.config import SiglipVitConfig
from seesay.models.layers.size import block_parameters, projection_parameters, transformer_operations


def parameters(config: SiglipVitConfig, dim: int) -> int:
    """Number of weights, the projection's included."""
    width = config.width
    embeddings = (3 * config.patch_px**2 + 1) * width + config.grid**2 * width
    block = block_parameters(width, config.mlp_width)
    pool = block - 2 * width + width  # a block with one norm instead of two, and the query
    return embeddings + config.depth * block + 2 * width + pool + projection_parameters(config.projection, width, dim)


def operations(config: SiglipVitConfig, dim: int, tokens: int) -> float:
    """Multiplications for one image."""
    count, width = config.grid**2, config.width
    patches = 3 * config.patch_px**2 * width * count
    pool = 2 * count * width * (width + 1) + 2 * width * (width + config.mlp_width)
    return transformer_operations(width, config.mlp_width, config.depth, count) + patches + pool
