"""Weights and multiplications of EfficientNet-Lite."""

from seesay.models.families.efficientnet_lite.config import EfficientNetLiteConfig
from seesay.models.layers.size import projection_parameters

LITE2_OPERATIONS = 0.86e9  # published, at LITE2_PX
LITE2_PX = 260


def parameters(config: EfficientNetLiteConfig, dim: int) -> int:
    """Number of weights, the head's included."""
    first, *widths, last = config.widths
    norm = 1 if config.norm == "folded" else 2  # a bias, or a batch norm's weight and bias
    inputs, blocks = first, []
    for stage, ((repeats, kernel, _), width) in enumerate(zip(config.stages, widths, strict=True)):
        for _ in range(repeats):
            inner = inputs if stage == 0 else 6 * inputs
            expansion = inputs * inner + norm * inner if stage else 0
            blocks.append(expansion + kernel * kernel * inner + inner * width + norm * (inner + width))
            inputs = width
    head = inputs * last + norm * last
    total = 27 * first + norm * first + sum(blocks) + head
    if config.head != "conse":
        return total + projection_parameters(config.head, last, dim)
    total += (last + 1) * config.classes + config.classes * dim
    return total + (sum(blocks[-config.branch :]) + head + 2 * last * dim if config.branch else 0)


def operations(config: EfficientNetLiteConfig, dim: int, tokens: int) -> float:
    """Multiplications for one image, estimated from Lite2's."""
    return LITE2_OPERATIONS * (config.image_px / LITE2_PX) ** 2
