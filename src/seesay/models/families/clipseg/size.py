"""Weights and multiplications of CLIPSeg's image tower."""

from seesay.models.families.clipseg.config import ClipSegConfig
from seesay.models.families.vit import size as vit
from seesay.models.layers.size import block_parameters, transformer_operations


def parameters(config: ClipSegConfig, dim: int) -> int:
    """Number of weights, the projection's and the decoder's included."""
    parts, width = config.decoder, config.decoder.width
    positions = (config.positions_grid**2 - config.grid**2) * config.width
    block = block_parameters(width, parts.mlp_width) + (config.width + 1) * width
    queries = 2 * (dim + 1) * width
    return vit.parameters(config, dim) + positions + len(parts.blocks) * block + queries + _drawing(config)


def _drawing(config: ClipSegConfig) -> int:
    width, patch = config.decoder.width, config.patch_px
    if config.decoder.convolutions == 1:
        return width * patch**2 + 1
    half, part = width // 2, (patch // 4) ** 2
    return 9 * width**2 + width + width * half * part + half + half * part + 1


def operations(config: ClipSegConfig, dim: int, tokens: int) -> float:
    """Multiplications for one image and one query."""
    parts, length = config.decoder, config.grid**2 + 1
    decoder = transformer_operations(parts.width, parts.mlp_width, len(parts.blocks), length)
    reduced = len(parts.blocks) * length * config.width * parts.width
    return vit.operations(config, dim, tokens) + decoder + reduced + config.grid**2 * parts.width * config.patch_px**2
