"""How large and how slow a model will be, from its configuration alone: counted parameters, estimated memory and speed."""

import time

from seesay.models.config import ImageConfig, TextConfig
from seesay.models.families.bert.config import BertConfig
from seesay.models.families.cbow.config import CbowConfig
from seesay.models.families.clip_text.config import ClipTextConfig
from seesay.models.families.efficientnet_lite.config import EfficientNetLiteConfig
from seesay.models.families.modified_resnet.config import ModifiedResNetConfig
from seesay.models.families.vit.config import VitConfig
from seesay.models.fields import Projection

TYPICAL_TOKENS = 16  # of a caption or a query; towers that pad to their context take all of it
RUNTIME_MB = 100  # Python, numpy, ONNX Runtime, Pillow before any weights; a ViT-B/32 of 605 MB measured 603 MB in all
EFFICIENCY = 0.6  # of numpy's best matrix product; ViT-B/32 in ONNX Runtime measured 0.55 to 0.7 of it


def parameters(config: ImageConfig | TextConfig, dim: int) -> int:
    """Numbers in a tower, its projection included (and a batch norm's running mean and variance not)."""
    match config:
        case VitConfig():
            table = 3 * config.patch_px**2 * config.width + (config.grid**2 + 2) * config.width
            norms = (2 if config.norm_before else 0) + 2
            scales = 2 * config.depth * config.width if config.layer_scale else 0
            projection = _projection(config.projection, config.width, dim)
            return table + norms * config.width + scales + config.depth * _block(config.width, config.mlp_width) + projection
        case ModifiedResNetConfig():
            return _resnet(config, dim)
        case EfficientNetLiteConfig():
            return _efficientnet(config, dim)
        case ClipTextConfig():
            table = (config.vocabulary + config.positions) * config.width
            projection = _projection(config.projection, config.width, dim)
            return table + 2 * config.width + config.depth * _block(config.width, config.mlp_width) + projection
        case BertConfig():
            table = (config.vocabulary + config.positions + config.types + 2) * config.width
            head = dim if config.head == "unit-centred" else _projection(config.head, config.width, dim)
            pooler = config.width * (config.width + 1) if config.pooling == "tanh" else 0
            return table + config.depth * _block(config.width, config.mlp_width) + head + pooler
        case CbowConfig():
            return config.vocabulary * config.width + _projection(config.projection, config.width, dim)


def operations(config: ImageConfig | TextConfig, dim: int, tokens: int = TYPICAL_TOKENS) -> float:
    """Multiplications of one picture, or of one text of so many tokens."""
    match config:
        case VitConfig():
            length = config.grid**2 + 1
            return _stack(config.width, config.mlp_width, config.depth, length) + 3 * config.patch_px**2 * config.width * length
        case ModifiedResNetConfig():
            return _resnet_operations(config)
        case EfficientNetLiteConfig():
            return 0.86e9 * (config.image_px / 260) ** 2  # Lite2's published 860 million at 260 pixels
        case ClipTextConfig():
            length = tokens if config.causal and config.pooling == "eos" else config.positions
            return _stack(config.width, config.mlp_width, config.depth, length)
        case BertConfig():
            return _stack(config.width, config.mlp_width, config.depth, tokens)
        case CbowConfig():
            return config.width * dim


def memory_mb(towers: int) -> float:
    """Estimated memory of a process that runs towers of so many parameters in float32."""
    return RUNTIME_MB + 4 * towers / 1e6


def multiplications_per_s() -> float:
    """This machine's: half the arithmetic of its best matrix product of a tower's size (about half a second)."""
    import numpy as np

    size = 1024
    a = np.random.default_rng(0).standard_normal((size, size)).astype(np.float32)
    best = float("inf")
    for _ in range(12):
        start = time.perf_counter()
        a @ a
        best = min(best, time.perf_counter() - start)
    return size**3 / best


def _projection(kind: Projection, width: int, dim: int) -> int:
    inner = (width + dim) // 2
    return {"linear": width * dim, "mlp": inner * (width + dim), "none": 0}[kind]


def _block(width: int, inner: int) -> int:
    """A transformer block: four projections, two layers, two norms, with their biases."""
    return 4 * width * (width + 1) + width * inner + inner + inner * width + width + 4 * width


def _stack(width: int, inner: int, depth: int, length: int) -> float:
    return depth * length * (4 * width * width + 2 * width * inner + 2 * length * width)


def _bottlenecks(config: ModifiedResNetConfig) -> list[tuple[int, int, int, bool]]:
    """Per block: channels in, inner, out, and whether it has a shortcut of its own."""
    found, inputs = [], config.width
    for stage, count in enumerate(config.stages):
        inner = config.width * 2**stage
        for i in range(count):
            found.append((inputs, inner, 4 * inner, i == 0))
            inputs = 4 * inner
    return found


def _resnet(config: ModifiedResNetConfig, dim: int) -> int:
    half, width = config.width // 2, config.width
    total = 27 * half + 2 * half + 9 * half * half + 2 * half + 9 * half * width + 2 * width
    for inputs, inner, outputs, shortcut in _bottlenecks(config):
        total += inputs * inner + 9 * inner * inner + inner * outputs + 4 * inner + 2 * outputs
        total += inputs * outputs + 2 * outputs if shortcut else 0
    pooled = 32 * width
    return total + (config.grid**2 + 1) * pooled + 3 * pooled * (pooled + 1) + (pooled + 1) * dim


def _resnet_operations(config: ModifiedResNetConfig) -> float:
    half, side = config.width // 2, config.image_px // 2
    total = float(side**2 * (27 * half + 9 * half * half + 9 * half * config.width))
    side //= 2
    previous = 0
    for number, (inputs, inner, outputs, shortcut) in enumerate(_bottlenecks(config)):
        smaller = shortcut and number > 0
        total += side**2 * (inputs * inner + 9 * inner * inner)
        side = side // 2 if smaller else side
        total += side**2 * (inner * outputs + (inputs * outputs if shortcut else 0))
        previous = outputs
    return total + 2 * (config.grid**2 + 1) * previous * previous


def _efficientnet(config: EfficientNetLiteConfig, dim: int) -> int:
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
        return total + _projection(config.head, last, dim)
    total += (last + 1) * config.classes + config.classes * dim
    return total + (sum(blocks[-config.branch :]) + head + 2 * last * dim if config.branch else 0)
