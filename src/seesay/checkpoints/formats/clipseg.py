"""CLIPSeg in Hugging Face transformers (4.x and 5.x): CLIPSegForImageSegmentation."""

from collections.abc import Mapping
from typing import Any

from seesay.checkpoints.description import Description, TokenizerTraits
from seesay.checkpoints.formats import hugging_face
from seesay.checkpoints.formats.foreign_config import ForeignConfig, raise_faults
from seesay.checkpoints.formats.format import Format, has_any
from seesay.checkpoints.formats.hugging_face import (
    BLOCK_NAMES,
    CLIP_NAMES,
    CLIP_TEXT_DEFAULTS,
    CLIP_VISION_DEFAULTS,
    Processor,
    clip_text_config,
    tower_values,
)
from seesay.checkpoints.formats.squared_processor import squared
from seesay.checkpoints.formats.transformers_config import sizes
from seesay.checkpoints.names import Table, layer, nested
from seesay.models.families.clipseg.config import ClipSegConfig, DecoderConfig
from seesay.tokenizers.spec import TokenizerSpec

# Tensor names

DRAWING: Table = (
    *layer("transposed_convolution", "draw.0"),
    *(each for i in range(3) for each in layer(f"transposed_convolution.{2 * i}", f"draw.{i}")),
)
DECODER: Table = (
    *layer("film_mul", "multiply"),
    *layer("film_add", "add"),
    *layer("reduces.{}", "reduce.{}"),
    *nested(BLOCK_NAMES, "layers.{}.", "blocks.{}."),
    *DRAWING,
)
NAMES: Table = (*nested(CLIP_NAMES, "clip."), *nested(DECODER, "decoder.", "image.decoder."))

# Configuration: config.json, and the image processor, a ViTImageProcessor

DEFAULTS = {
    "extract_layers": [3, 6, 9],
    "reduce_dim": 64,
    "decoder_num_attention_heads": 4,
    "decoder_intermediate_size": 2048,
    "conditional_layer": 0,
    "use_complex_transposed_convolution": False,
}
HALF = [0.5, 0.5, 0.5]
PROCESSOR_DEFAULTS = {"size": 224, "do_center_crop": False, "resample": 2, "image_mean": HALF, "image_std": HALF}
PUBLISHED_PX = 352  # where no processor says what the pictures' side is


def describe(config: Mapping[str, Any], processor: Processor | None, name: str) -> Description:
    """A CLIPSegForImageSegmentation. Raises CheckpointError with every fault. name: the file."""
    faults: list[str] = []
    s = ForeignConfig(DEFAULTS | dict(config), "", faults)
    text_settings = ForeignConfig(tower_values(s, "text", CLIP_TEXT_DEFAULTS), "text_config", faults)
    text = clip_text_config(text_settings, True, eos_given=False)
    spec = None if processor is None else squared(processor, PROCESSOR_DEFAULTS, faults)
    vision = ForeignConfig(tower_values(s, "vision", CLIP_VISION_DEFAULTS), "vision_config", faults)
    vision.refuse("num_channels", lambda channels: channels == 3, "only RGB towers are known")
    fields = sizes(vision) | {"positions_px": vision.side("image_size"), "patch_px": vision.side("patch_size")}
    decoder, dim = _decoder(s), s.integer("projection_dim", 512)
    raise_faults(faults, name)
    return Description(
        dim=dim,
        image=ClipSegConfig(kind="clipseg", image_px=PUBLISHED_PX if spec is None else spec.size_px, decoder=decoder, **fields),
        text=text,
        image_spec=spec,
        tokenizer_spec=TokenizerSpec(context_length=text.positions, pad_id=text.eos_id, padding="longest"),
        tokenizer="folder",
        source=name,
        traits=TokenizerTraits(ends=(text.eos_id - 1, text.eos_id)),
    )


def _decoder(s: ForeignConfig) -> DecoderConfig:
    blocks = s.values["extract_layers"]
    if not isinstance(blocks, list | tuple) or not blocks or not all(type(block) is int for block in blocks):
        s.faults.append(f"extract_layers: expected numbers of layers, got {blocks!r}")
        blocks = [0]
    return DecoderConfig(
        blocks=tuple(blocks),
        width=s.integer("reduce_dim"),
        heads=s.integer("decoder_num_attention_heads"),
        mlp_width=s.integer("decoder_intermediate_size"),
        query_at=s.integer("conditional_layer", least=0, most=len(blocks) - 1),
        convolutions=s.choice("use_complex_transposed_convolution", {False: 1, True: 3}),
    )


FORMAT = Format(
    name="hf_clipseg",
    title="Hugging Face CLIPSegForImageSegmentation",
    recognises=has_any("clip.vision_model.pre_layrnorm.weight", "decoder.film_mul.weight"),
    table=lambda names: NAMES,
    rule=hugging_face.without_configuration,
    configuration=hugging_face.described_by(describe),
    model_types=frozenset(("clipseg",)),
)
