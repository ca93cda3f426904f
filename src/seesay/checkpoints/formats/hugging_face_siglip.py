"""Hugging Face transformers (4.x and 5.x): SiglipModel and its two towers alone, SigLIP 2 of fixed resolution included."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from seesay.checkpoints.description import Description
from seesay.checkpoints.formats import siglip
from seesay.checkpoints.formats.foreign_config import ForeignConfig, raise_faults
from seesay.checkpoints.formats.format import Evidence, ForeignModel, Format, Writer, has_any
from seesay.checkpoints.formats.hugging_face import (
    BLOCK_NAMES,
    CLIP,
    TEXT_NAMES,
    Processor,
    image_processor,
    image_spec_of,
    processor_config,
    tower_config,
    tower_values,
)
from seesay.checkpoints.formats.tables import qkv
from seesay.checkpoints.formats.transformers_config import sizes
from seesay.checkpoints.formats.writing import require_expressible
from seesay.checkpoints.names import Table, ignored, layer, nested, row
from seesay.images.spec import ImageSpec
from seesay.models.config import ImageConfig, ModelConfig, TextConfig
from seesay.models.families.clip_text.config import ClipTextConfig
from seesay.models.families.siglip_vit.config import SiglipVitConfig
from seesay.system.schema import read_object
from seesay.tokenizers.spec import TokenizerSpec

# Tensor names

VISION_NAMES: Table = (
    *layer("embeddings.patch_embedding", "patch_embedding"),
    row("embeddings.position_embedding.weight", "position_embedding"),
    ignored("embeddings.position_ids", "the numbers 0, 1, 2, ..."),
    *nested(BLOCK_NAMES, "encoder.layers.{}.", "blocks.{}."),
    *layer("post_layernorm", "norm_after"),
    row("head.probe", "pool.query", how="squeeze"),
    *qkv("head.attention.in_proj_", "pool.attention"),
    *layer("head.attention.out_proj", "pool.attention.out"),
    *layer("head.layernorm", "pool.norm"),
    *layer("head.mlp.fc1", "pool.mlp.up"),
    *layer("head.mlp.fc2", "pool.mlp.down"),
)
SIGLIP_TEXT_NAMES: Table = (*TEXT_NAMES, *layer("head", "projection"))
SIGLIP_NAMES: Table = (
    *nested(VISION_NAMES, "vision_model.", "image."),
    *nested(SIGLIP_TEXT_NAMES, "text_model.", "text."),
    row("logit_scale", "logit_scale", how="single"),
    row("logit_bias", "logit_bias", how="single"),
)

# Configuration: config.json

TOWERS = {"siglip": ("text", "vision"), "siglip_text_model": ("text",), "siglip_vision_model": ("vision",)}
_DEFAULTS = {
    "hidden_size": 768,
    "intermediate_size": 3072,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "hidden_act": "gelu_pytorch_tanh",
    "layer_norm_eps": siglip.EPS,
}
TEXT_DEFAULTS = _DEFAULTS | {"vocab_size": 32000, "max_position_embeddings": 64}
VISION_DEFAULTS = _DEFAULTS | {"image_size": 224, "patch_size": 16}
PROCESSOR_DEFAULTS = {
    "size": {"height": 224, "width": 224},
    "do_center_crop": False,
    "image_mean": [0.5, 0.5, 0.5],
    "image_std": [0.5, 0.5, 0.5],
}


def configuration(evidence: Evidence) -> Description | None:
    """The description in the folder's config.json; None where there is none."""
    file = evidence.folder / "config.json"
    if not file.is_file():
        return None
    return describe(read_object(file), evidence.folder)


def describe(config: Mapping[str, Any], folder: Path) -> Description:
    """A SiglipModel or one tower of it, with preprocessing and tokenizer files in `folder`. Raises CheckpointError with every
    fault."""
    faults: list[str] = []
    name = str(folder / "config.json")
    s = ForeignConfig(config, "", faults)
    kind = s.choice("model_type", {kind: kind for kind in TOWERS})
    raise_faults(faults, name)
    whole = len(TOWERS[kind]) == 2
    text: ClipTextConfig | None = None
    image: SiglipVitConfig | None = None
    dim = 0
    if "text" in TOWERS[kind]:
        values = tower_values(s, "text", TEXT_DEFAULTS) if whole else TEXT_DEFAULTS | dict(config)
        settings = ForeignConfig(values, "text_config", faults)
        text = _text(settings)
        dim = text.width if values.get("projection_size") is None else settings.integer("projection_size")
    if "vision" in TOWERS[kind]:
        values = tower_values(s, "vision", VISION_DEFAULTS) if whole else VISION_DEFAULTS | dict(config)
        image = _image(ForeignConfig(values, "vision_config", faults))
        dim = dim or image.width
        if image.width != dim:
            faults.append(f"text_config.projection_size: {dim} differs from the {image.width} of the image tower")
    processor = image_processor(folder)
    image_spec = None if processor is None else _image_spec(processor, faults)
    raise_faults(faults, name)
    return Description(
        dim=dim,
        image=image,
        text=text,
        image_spec=image_spec,
        tokenizer_spec=None if text is None else siglip.tokenizer_spec(folder, text.vocabulary, text.positions),
        tokenizer=None if text is None else "folder",
        source=name,
        biased=whole,
        traits=None if text is None else siglip.TRAITS,
    )


def _text(s: ForeignConfig) -> ClipTextConfig:
    return ClipTextConfig(
        kind="clip-text",
        **sizes(s),
        vocabulary=s.integer("vocab_size"),
        positions=s.integer("max_position_embeddings"),
        causal=False,
        pooling="last",
        eos_id=siglip.END,
        projection="affine",
    )


def _image(s: ForeignConfig) -> SiglipVitConfig:
    s.refuse("num_channels", lambda channels: channels == 3, "only RGB towers are known")
    s.refuse("vision_use_head", bool, "a tower without its pooling has no vector of a whole picture")
    return SiglipVitConfig(kind="siglip-vit", **sizes(s), image_px=s.side("image_size"), patch_px=s.side("patch_size"))


def _image_spec(processor: Processor, faults: list[str]) -> ImageSpec:
    settings = ForeignConfig(processor.settings, processor.file.stem, faults).values
    return image_spec_of(replace(processor, settings=PROCESSOR_DEFAULTS | dict(settings)), faults)


# Writing


def _translate(config: ModelConfig, vocabulary: bytes | None) -> ForeignModel:
    """SigLIP's models, or else what transformers' other classes express."""
    assert CLIP.writer is not None
    if not isinstance(config.image, SiglipVitConfig) and not _is_siglip_text(config.text):
        return CLIP.writer.translate(config, vocabulary)
    require_expressible("Hugging Face transformers", _reasons_against(config))
    text = None if config.text is None else _text_config(config.text, config.dim)
    image = None if config.image is None else _vision_config(config.image)
    files: dict[str, Any] = {"config.json": _whole(text, image)}
    if config.image_spec is not None:
        files["preprocessor_config.json"] = processor_config(config.image_spec, "SiglipImageProcessor")
    if vocabulary is not None:
        assert config.tokenizer_spec
        files |= _tokenizer_files(vocabulary, config.tokenizer_spec)
    return ForeignModel(SIGLIP.title, SIGLIP_NAMES, files)


def _is_siglip_text(text: TextConfig | None) -> bool:
    return isinstance(text, ClipTextConfig) and (text.causal, text.pooling, text.projection) == (False, "last", "affine")


def _reasons_against(config: ModelConfig) -> list[str]:
    """Why transformers cannot express this model exactly."""
    image, text, reasons = config.image, config.text, list[str]()
    if image is not None and not isinstance(image, SiglipVitConfig):
        reasons.append(f"its image tower is {image.kind}; SiglipModel has its own only")
    elif image is not None and image.projection != "none":
        reasons.append("its image tower has a projection, which SiglipVisionModel has not")
    if text is not None and not _is_siglip_text(text):
        reasons.append("its text tower is not SiglipTextModel's: no mask, the last position pooled, a projection with a bias")
    if image is not None and text is not None and config.logit_bias is None:
        reasons.append("it has no logit bias, which SiglipModel has")
    if config.image_spec is not None and config.image_spec.resize != "squash":
        reasons.append("its pictures are not squashed, as SiglipImageProcessor does")
    return reasons


def _whole(text: dict[str, Any] | None, image: dict[str, Any] | None) -> dict[str, Any]:
    if text is not None and image is not None:
        return {"model_type": "siglip", "architectures": ["SiglipModel"], "text_config": text, "vision_config": image}
    if text is not None:
        return {"architectures": ["SiglipTextModel"], **text}
    return {"architectures": ["SiglipVisionModel"], **(image or {})}


def _text_config(text: TextConfig, dim: int) -> dict[str, Any]:
    assert isinstance(text, ClipTextConfig)
    return {
        "model_type": "siglip_text_model",
        "vocab_size": text.vocabulary,
        "max_position_embeddings": text.positions,
        "projection_size": dim,
        **tower_config(text),
    }


def _vision_config(image: ImageConfig) -> dict[str, Any]:
    assert isinstance(image, SiglipVitConfig)
    sizes = {"image_size": image.image_px, "patch_size": image.patch_px}
    return {"model_type": "siglip_vision_model", **sizes, **tower_config(image)}


def _tokenizer_files(vocabulary: bytes, spec: TokenizerSpec) -> dict[str, Any]:
    """The vocabulary with its padding. SiglipTokenizer would want SentencePiece's file; the class named here does not clean."""
    pieces = json.loads(vocabulary)["model"]["vocab"]
    names = [piece for piece, _ in pieces] if isinstance(pieces, list) else sorted(pieces, key=pieces.__getitem__)
    settings = {"pad_token": names[spec.pad_id], "model_max_length": spec.context_length, "padding_side": "right"}
    return {
        "tokenizer.json": vocabulary.decode(),
        "tokenizer_config.json": {"tokenizer_class": "PreTrainedTokenizerFast", **settings},
    }


# The formats

SIGLIP = replace(
    CLIP,
    name="hf_siglip",
    title="Hugging Face SiglipModel, or one tower of it",
    recognises=has_any("vision_model.head.probe", "text_model.head.weight"),
    table=lambda names: SIGLIP_NAMES,
    configuration=configuration,
    model_types=frozenset(TOWERS),
    writer=Writer("transformers", "model.safetensors", _translate),
)
VISION: Format = replace(
    SIGLIP,
    name="hf_siglip_vision",
    title="Hugging Face SiglipVisionModel",
    recognises=has_any("head.probe"),
    table=lambda names: nested(VISION_NAMES, "", "image."),
)
TEXT: Format = replace(
    SIGLIP,
    name="hf_siglip_text",
    title="Hugging Face SiglipTextModel",
    recognises=lambda weights: {"head.weight", "final_layer_norm.weight"} <= weights.names.keys(),
    table=lambda names: nested(SIGLIP_TEXT_NAMES, "", "text."),
)
