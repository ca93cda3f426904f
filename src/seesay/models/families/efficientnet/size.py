"""Weights and multiplications of EfficientNet."""

from seesay.models.families.efficientnet.config import BlockShape, EfficientNetConfig
from seesay.models.layers.size import projection_parameters


def parameters(config: EfficientNetConfig, dim: int) -> int:
    """Number of weights, the projection's included."""
    blocks = sum(_block_parameters(block) for block in config.blocks)
    return 29 * config.stem + blocks + projection_parameters(config.projection, config.feature_width, dim)


def _block_parameters(block: BlockShape) -> int:
    """Three convolutions with the two weights of a batch norm per channel, and the squeeze's two with biases."""
    inner = block.inputs * block.expansion
    expand = (block.inputs + 2) * inner if block.expansion > 1 else 0
    squeeze = (inner + 1) * block.squeezed + (block.squeezed + 1) * inner
    return expand + (block.kernel**2 + 2) * inner + squeeze + (inner + 2) * block.outputs


def operations(config: EfficientNetConfig, dim: int, tokens: int) -> float:
    """Multiplications for one image."""
    side = (config.image_px - 2) // 2 + 1
    total = 27.0 * config.stem * side**2
    for block in config.blocks:
        inner = block.inputs * block.expansion
        total += block.inputs * inner * side**2 if block.expansion > 1 else 0
        side = (side + block.before + block.after - block.kernel) // block.stride + 1
        total += (block.kernel**2 + block.outputs) * inner * side**2
    return total
