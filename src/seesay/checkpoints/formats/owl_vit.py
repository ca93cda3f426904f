"""OWL-ViT and OWLv2 in Hugging Face transformers (4.x and 5.x): OwlViTForObjectDetection and Owlv2ForObjectDetection."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from seesay.checkpoints.description import Description, TokenizerTraits
from seesay.checkpoints.formats import hugging_face
from seesay.checkpoints.formats.foreign_config import ForeignConfig, raise_faults
from seesay.checkpoints.formats.format import Format
from seesay.checkpoints.formats.hugging_face import (
    CLIP_TEXT_DEFAULTS,
    CLIP_VISION_DEFAULTS,
    TEXT_NAMES,
    VISION_NAMES,
    Processor,
    clip_text_config,
    tower_values,
)
from seesay.checkpoints.formats.squared_processor import squared
from seesay.checkpoints.formats.tables import SCALE
from seesay.checkpoints.formats.transformers_config import sizes
from seesay.checkpoints.names import Table, ignored, layer, nested, row
from seesay.checkpoints.preprocessing import CLIP_MEAN, CLIP_STD
from seesay.images.spec import ImageSpec
from seesay.models.families.owl_vit.config import OwlVitConfig
from seesay.tokenizers.spec import TokenizerSpec

# Tensor names

LAYERS: Table = (*layer("dense0", "first"), *layer("dense1", "second"), *layer("dense2", "last"))
TOWERS: Table = (
    *layer("vision_model.pre_layernorm", "image.norm_before"),  # which CLIPModel misspells
    *nested(VISION_NAMES, "vision_model.", "image."),
    row("visual_projection.weight", "image.projection.weight"),
    *nested(TEXT_NAMES, "text_model.", "text."),
    row("text_projection.weight", "text.projection.weight"),
    *SCALE,
)
HEADS: Table = (
    *layer("layer_norm", "norm"),
    *layer("class_head.dense0", "embedding"),
    *layer("class_head.logit_shift", "shift"),
    *layer("class_head.logit_scale", "scale"),
    *nested(LAYERS, "box_head.", "box."),
    *nested(LAYERS, "objectness_head.", "objectness."),
)
NAMES: Table = (
    *nested(TOWERS, "owlvit."),
    *nested(TOWERS, "owlv2."),
    *nested(HEADS, "", "image.heads."),
    ignored("box_bias", "the patches' places, which the grid shows"),
)

# Configuration: config.json, and the image processor

TEXT_DEFAULTS = CLIP_TEXT_DEFAULTS | {"max_position_embeddings": 16, "pad_token_id": 0}
VISION_DEFAULTS = CLIP_VISION_DEFAULTS | {"image_size": 768}
V2_VISION_DEFAULTS = VISION_DEFAULTS | {"patch_size": 16}
PROCESSOR_DEFAULTS = {"size": 768, "do_center_crop": False, "resample": 3, "image_mean": CLIP_MEAN, "image_std": CLIP_STD}
V2_PROCESSOR_DEFAULTS = PROCESSOR_DEFAULTS | {"size": 960, "resample": 2}


def describe(config: Mapping[str, Any], processor: Processor | None, name: str) -> Description:
    """An OwlViTForObjectDetection or Owlv2ForObjectDetection. Raises CheckpointError with every fault. name: the file."""
    faults: list[str] = []
    s = ForeignConfig(config, "", faults)
    second = s.choice("model_type", {"owlvit": False, "owlv2": True})
    vision = tower_values(s, "vision", V2_VISION_DEFAULTS if second else VISION_DEFAULTS)
    # transformers takes the highest id for the end of a text, whatever the configuration says.
    values = tower_values(s, "text", TEXT_DEFAULTS) | {"eos_token_id": None}
    text = clip_text_config(ForeignConfig(values, "text_config", faults), True, eos_given=False)
    dim = s.integer("projection_dim", 512)
    if text.width != dim:
        faults.append(
            f"projection_dim: {dim} differs from the {text.width} of text_config.hidden_size, as wide as the class head"
        )
    spec = None if processor is None else image_spec(processor, second, faults)
    image = _image(ForeignConfig(vision, "vision_config", faults), second)
    raise_faults(faults, name)
    return Description(
        dim=dim,
        image=image,
        text=text,
        image_spec=spec,
        tokenizer_spec=TokenizerSpec(context_length=text.positions, pad_id=0, padding="longest"),
        tokenizer="folder",
        source=name,
        traits=TokenizerTraits(ends=(text.eos_id - 1, text.eos_id)),
    )


def _image(s: ForeignConfig, second: bool) -> OwlVitConfig:
    s.refuse("num_channels", lambda channels: channels == 3, "only RGB towers are known")
    return OwlVitConfig(
        kind="owl-vit", **sizes(s), image_px=s.side("image_size"), patch_px=s.side("patch_size"), objectness=second
    )


def image_spec(processor: Processor, second: bool, faults: list[str]) -> ImageSpec:
    """The settings of an OwlViTImageProcessor or, second, an Owlv2ImageProcessor, in their older forms, too."""
    given = ForeignConfig(processor.settings, processor.file.stem, faults)
    settings = {("do_rescale" if key == "rescale" else key): value for key, value in given.values.items()}
    if not second:
        return squared(Processor(processor.file, settings), PROCESSOR_DEFAULTS, faults)
    padded = settings.pop("do_pad", True)
    if not padded:
        faults.append(f"{processor.file.stem}.do_pad = {padded!r}: OWLv2's boxes are relative to padded pictures")
    settings.pop("crop_size", None)
    settings["do_center_crop"] = False
    settings.pop("pad_size", None)
    spec = squared(Processor(processor.file, settings), V2_PROCESSOR_DEFAULTS, faults)
    return replace(spec, resize="corner")


# The format

FORMAT = Format(
    name="hf_owl_vit",
    title="Hugging Face OwlViTForObjectDetection or Owlv2ForObjectDetection",
    recognises=lambda weights: any(name.startswith(("owlvit.", "owlv2.")) for name in weights.names),
    table=lambda names: NAMES,
    rule=hugging_face.without_configuration,
    configuration=hugging_face.described_by(describe),
    model_types=frozenset(("owlvit", "owlv2")),
)
