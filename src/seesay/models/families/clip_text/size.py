"""Weights and multiplications of CLIP's text transformer."""

from seesay.models.families.clip_text.config import ClipTextConfig
from seesay.models.layers.size import block_parameters, projection_parameters, transformer_operations


def parameters(config: ClipTextConfig, dim: int) -> int:
    """Number of weights, the projection's included."""
    embeddings = (config.vocabulary + config.positions + (config.pooling == "class")) * config.width
    blocks = config.depth * block_parameters(config.width, config.mlp_width)
    return embeddings + 2 * config.width + blocks + projection_parameters(config.projection, config.width, dim)


def operations(config: ClipTextConfig, dim: int, tokens: int) -> float:
    """Multiplications for one text of so many tokens; of all positions where its end cannot be cut off."""
    length = tokens if config.causal and config.pooling == "eos" else config.positions
    return transformer_operations(config.width, config.mlp_width, config.depth, length)
