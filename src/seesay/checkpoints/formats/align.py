"""ALIGN (Jia and others, 2021) in Hugging Face transformers (4.x and 5.x): EfficientNet with BERT for texts."""

import math
from collections.abc import Mapping
from typing import Any

from seesay.checkpoints.description import Description
from seesay.checkpoints.formats import hugging_face
from seesay.checkpoints.formats.foreign_config import ForeignConfig, raise_faults
from seesay.checkpoints.formats.format import Format, has_any
from seesay.checkpoints.formats.hugging_face import RESAMPLE, tower_values
from seesay.checkpoints.formats.tables import BERT, POOLER_UNUSED
from seesay.checkpoints.formats.transformers_config import BERT_DEFAULTS, bert_config
from seesay.checkpoints.names import Table, layer, nested, row
from seesay.images.spec import ImageSpec
from seesay.models.families.efficientnet.config import EfficientNetConfig
from seesay.tokenizers.spec import TokenizerSpec


def _norm(foreign: str, native: str) -> Table:
    parts = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    return tuple(row(f"{foreign}.{part}", f"{native}.{part}") for part in parts)


BLOCK_NAMES: Table = (
    row("expansion.expand_conv.weight", "expand.conv.weight"),
    *_norm("expansion.expand_bn", "expand.norm"),
    row("depthwise_conv.depthwise_conv.weight", "depthwise.conv.weight"),
    *_norm("depthwise_conv.depthwise_norm", "depthwise.norm"),
    *layer("squeeze_excite.reduce", "squeeze.reduce"),
    *layer("squeeze_excite.expand", "squeeze.expand"),
    row("projection.project_conv.weight", "project.conv.weight"),
    *_norm("projection.project_bn", "project.norm"),
)
NAMES: Table = (
    row("vision_model.embeddings.convolution.weight", "image.stem.conv.weight"),
    *_norm("vision_model.embeddings.batchnorm", "image.stem.norm"),
    *nested(BLOCK_NAMES, "vision_model.encoder.blocks.{}.", "image.blocks.{}."),
    *nested(BERT + POOLER_UNUSED, "text_model.", "text."),
    *layer("text_projection", "text.projection"),
    row("temperature", "logit_scale", how="temperature"),
)
VISION_DEFAULTS = {  # EfficientNet-B7
    "num_channels": 3,
    "image_size": 600,
    "width_coefficient": 2.0,
    "depth_coefficient": 3.1,
    "depth_divisor": 8,
    "kernel_sizes": [3, 3, 5, 3, 5, 5, 3],
    "in_channels": [32, 16, 24, 40, 80, 112, 192],
    "out_channels": [16, 24, 40, 80, 112, 192, 320],
    "depthwise_padding": [],
    "strides": [1, 2, 2, 2, 1, 2, 1],
    "num_block_repeats": [1, 2, 2, 3, 3, 4, 1],
    "expand_ratios": [1, 6, 6, 6, 6, 6, 6],
    "squeeze_expansion_ratio": 0.25,
    "hidden_act": "swish",
    "pooling_type": "mean",
    "batch_norm_eps": 0.001,
}
STAGES = ("num_block_repeats", "kernel_sizes", "strides", "expand_ratios", "out_channels")
CONTEXT = 64  # of AlignProcessor


def describe(config: Mapping[str, Any], processor: hugging_face.Processor | None, name: str) -> Description:
    """An AlignModel. Raises CheckpointError with every fault. name: the file, for messages."""
    faults: list[str] = []
    s = ForeignConfig(config, "", faults)
    values = tower_values(s, "text", BERT_DEFAULTS) | {"model_type": "bert"}
    text = bert_config(values, pooling="cls", head="affine", at="text_config", faults=faults)
    image = _efficientnet(ForeignConfig(tower_values(s, "vision", VISION_DEFAULTS), "vision_config", faults))
    dim = s.integer("projection_dim", 640)
    if not faults and image.feature_width != dim:
        faults.append(f"projection_dim: {dim}, and the image tower, which has no projection, ends in {image.feature_width}")
    image_spec = None if processor is None else image_spec_of(processor, faults)
    raise_faults(faults, name)
    return Description(
        dim=dim,
        image=image,
        text=text,
        image_spec=image_spec,
        tokenizer_spec=TokenizerSpec(min(CONTEXT, text.max_tokens), text.pad_id, "longest"),
        tokenizer="folder",
        source=name,
        languages=("en",),
    )


def _efficientnet(s: ForeignConfig) -> EfficientNetConfig:
    s.refuse("num_channels", lambda channels: channels == 3, "only RGB towers are known")
    s.refuse("hidden_act", lambda act: act in ("swish", "silu"), "only swish is known")
    s.refuse("pooling_type", lambda kind: kind == "mean", "only the mean of the last map is known")
    lists = [_numbers(s, key) for key in (*STAGES, "in_channels")]
    if len({len(each) for each in lists}) != 1:
        s.faults.append(f"{s.at}: {', '.join((*STAGES, 'in_channels'))} should be of one length")
        lists = [[1]] * len(lists)
    repeats, kernels, strides, ratios, outputs, inputs = lists
    divisor, width, depth = s.integer("depth_divisor"), s.number("width_coefficient"), s.number("depth_coefficient")
    if not s.faults and inputs[1:] != outputs[:-1]:
        s.faults.append(f"{s.at}.in_channels: {inputs} do not follow out_channels {outputs}")
    return EfficientNetConfig(
        kind="efficientnet",
        image_px=s.side("image_size"),
        stem=_rounded(32, width, divisor),
        stages=tuple(
            (math.ceil(depth * count), kernel, stride, ratio, _rounded(channels, width, divisor))
            for count, kernel, stride, ratio, channels in zip(repeats, kernels, strides, ratios, outputs, strict=True)
        ),
        squeeze=s.number("squeeze_expansion_ratio"),
        norm_eps=s.number("batch_norm_eps"),
        evenly_padded=tuple(_numbers(s, "depthwise_padding", least=0)),
    )


def _numbers(s: ForeignConfig, key: str, least: int = 1) -> list[int]:
    value = s.values[key]
    if not isinstance(value, list) or not all(isinstance(n, int) and least <= n <= 10_000 for n in value):
        s.faults.append(f"{s.at}.{key}: expected whole numbers, got {value!r}")
        return []
    return value


def _rounded(channels: int, coefficient: float, divisor: int) -> int:
    """Channels times the coefficient, a multiple of the divisor and at most 10 % less (Tan & Le's rule)."""
    wanted = channels * coefficient
    rounded = max(divisor, int(wanted + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * wanted else rounded


def image_spec_of(processor: hugging_face.Processor, faults: list[str]) -> ImageSpec:
    """The settings of an EfficientNetImageProcessor, whose scale, offset and two divisions are one mean and deviation."""
    s = ForeignConfig(processor.settings, processor.file.stem, faults)
    for step in ("do_resize", "do_rescale"):
        s.refuse(step, bool, "pictures cannot be used without it")
    resize_px = s.side("size")
    size_px = s.side("crop_size") if s.values.get("do_center_crop") else resize_px
    if size_px > resize_px:
        faults.append(f"{s.at}.crop_size: {size_px} is more than the size of {resize_px}")
    scale = 255 * s.number("rescale_factor", 1 / 255)
    offset = 1.0 if s.values.get("rescale_offset") else 0.0
    mean, std = [offset / scale] * 3, [1 / scale] * 3
    image_std = s.three("image_std", (1.0, 1.0, 1.0))
    if s.values.get("do_normalize"):
        image_mean = s.three("image_mean")
        mean, std = [(offset + m) / scale for m in image_mean], [d / scale for d in image_std]
    if s.values.get("include_top"):
        std = [value * d for value, d in zip(std, image_std, strict=True)]
    return ImageSpec(
        size_px=size_px,
        resize="squash",
        resize_px=resize_px,
        interpolation=s.choice("resample", RESAMPLE),
        mean=(mean[0], mean[1], mean[2]),
        std=(std[0], std[1], std[2]),
        alpha="white",
        crop="floored",
    )


FORMAT = Format(
    name="hf_align",
    title="Hugging Face AlignModel",
    recognises=has_any("vision_model.embeddings.convolution.weight"),
    table=lambda names: NAMES,
    rule=hugging_face.without_configuration,
    configuration=hugging_face.described_by(describe),
    model_types=frozenset({"align"}),
)
