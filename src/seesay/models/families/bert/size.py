"""Weights and multiplications of BERT."""

from seesay.models.families.bert.config import BertConfig
from seesay.models.layers.size import block_parameters, projection_parameters, transformer_operations


def parameters(config: BertConfig, dim: int) -> int:
    """Number of weights, the head's included."""
    width = config.width
    embeddings = (config.vocabulary + config.positions + config.types + 2) * width
    head = dim if config.head == "unit-centred" else projection_parameters(config.head, config.feature_width, dim)
    pooler = width * (width + 1) if config.pooling == "tanh" else 0
    transformation = 2 * width + (width + 1) * config.transformation if config.transformation else 0
    return embeddings + config.depth * block_parameters(width, config.mlp_width) + head + pooler + transformation


def operations(config: BertConfig, dim: int, tokens: int) -> float:
    """Multiplications for one text of so many tokens."""
    return transformer_operations(config.width, config.mlp_width, config.depth, tokens)
