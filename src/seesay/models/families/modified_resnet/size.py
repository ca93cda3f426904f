"""Weights and multiplications of CLIP's ResNet."""

from typing import NamedTuple

from seesay.models.families.modified_resnet.config import ModifiedResNetConfig


class Bottleneck(NamedTuple):
    """Channels of a block, and whether it has a convolution in its shortcut."""

    inputs: int
    inner: int
    outputs: int
    shortcut: bool


def _bottlenecks(config: ModifiedResNetConfig) -> list[Bottleneck]:
    blocks, inputs = [], config.width
    for stage, count in enumerate(config.stages):
        inner = config.width * 2**stage
        for i in range(count):
            blocks.append(Bottleneck(inputs, inner, 4 * inner, i == 0))
            inputs = 4 * inner
    return blocks


def parameters(config: ModifiedResNetConfig, dim: int) -> int:
    """Number of weights, the attention pooling's included."""
    half, width = config.width // 2, config.width
    total = 27 * half + 2 * half + 9 * half * half + 2 * half + 9 * half * width + 2 * width
    for inputs, inner, outputs, shortcut in _bottlenecks(config):
        total += inputs * inner + 9 * inner * inner + inner * outputs + 4 * inner + 2 * outputs
        total += inputs * outputs + 2 * outputs if shortcut else 0
    pooled = config.feature_width
    return total + (config.grid**2 + 1) * pooled + 3 * pooled * (pooled + 1) + (pooled + 1) * dim


def operations(config: ModifiedResNetConfig, dim: int, tokens: int) -> float:
    """Multiplications for one image."""
    half, side = config.width // 2, config.image_px // 2
    total = float(side**2 * (27 * half + 9 * half * half + 9 * half * config.width))
    side //= 2
    for number, (inputs, inner, outputs, shortcut) in enumerate(_bottlenecks(config)):
        strides = shortcut and number > 0
        total += side**2 * (inputs * inner + 9 * inner * inner)
        side = side // 2 if strides else side
        total += side**2 * (inner * outputs + (inputs * outputs if shortcut else 0))
    return total + 2 * (config.grid**2 + 1) * config.feature_width**2
