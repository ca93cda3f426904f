"""Families of models: which of transformers' are read, and others told apart so that an error can name them."""

from collections.abc import Iterable
from pathlib import Path

from seesay.errors import CheckpointError, ModelError
from seesay.system.schema import read_object

# The types of transformers that are read, and the towers that each has.
READ = {
    "clip": ("text", "vision"),
    "chinese_clip": ("text", "vision"),
    "clip_text_model": ("text",),
    "clip_vision_model": ("vision",),
    "chinese_clip_vision_model": ("vision",),
}
# Of others: what the names of their tensors begin with; the first that fits counts.
NAMES = {
    "text_model.rms_norm.": "an AIMv2 model (Hugging Face)",
    "qformer.": "a BLIP-2 model (Hugging Face)",
    "cross_modal_": "a BridgeTower model (Hugging Face)",
    "vision_model.layers.": "a pair of other models' towers (Hugging Face VisionTextDualEncoder)",
    "vision_model.head.": "a SigLIP model (Hugging Face)",
    "text_model.head.": "a SigLIP model (Hugging Face)",
    "head.probe": "a SigLIP image tower (Hugging Face)",
    "text_model.roberta.": "an AltCLIP model (Hugging Face)",
    "vision_model.encoder.blocks.": "an ALIGN model (Hugging Face)",
    "vision_model.encoder.layers.0.self_attn.qkv.": "a BLIP model (Hugging Face)",
    "vision_model.pre_layernorm.": "an OWL-ViT or X-CLIP model (Hugging Face)",
    "vision_model.encoder.stages.": "a GroupViT model (Hugging Face)",
    "image_model.": "a FLAVA model (Hugging Face)",
    "audio_model.": "a CLAP model (Hugging Face)",
    "clip.vision_model.": "a CLIPSeg model (Hugging Face)",
    "embeddings.word_embeddings.": "a BERT-like text model alone (Hugging Face), which has no projection into a shared space",
    "visual.trunk.": "an OpenCLIP model with a timm image tower (ConvNeXt, EVA-02, SigLIP, ...)",
    "visual.blocks.0.": "an EVA-CLIP model",
    "text_decoder.": "a CoCa model",
    "image_encoder.model.": "a MobileCLIP model",
    "cond_stage_model.": "a Stable Diffusion model",
    "conditioner.embedders.": "a Stable Diffusion XL model",
    "params/img/": "a big_vision model",
}
# By the `model_type` of transformers' config.json; others are named by it.
MODEL_TYPES = {
    "siglip": "a SigLIP model",
    "siglip_text_model": "a SigLIP text tower",
    "siglip_vision_model": "a SigLIP image tower",
    "siglip2": "a SigLIP 2 model",
    "align": "an ALIGN model",
    "altclip": "an AltCLIP model",
    "blip": "a BLIP model",
    "blip-2": "a BLIP-2 model",
    "clipseg": "a CLIPSeg model",
    "groupvit": "a GroupViT model",
    "metaclip_2": "a MetaCLIP 2 model",
    "owlvit": "an OWL-ViT model",
    "owlv2": "an OWLv2 model",
    "xclip": "an X-CLIP model",
    "vision-text-dual-encoder": "a pair of other models' towers (VisionTextDualEncoder)",
    "chinese_clip_text_model": "a ChineseCLIP text tower alone, which has no projection into the shared space",
}


def by_names(names: Iterable[str]) -> str | None:
    """What has tensors of these names; None where it may be read."""
    names = tuple(names)
    return next((what for start, what in NAMES.items() if any(name.startswith(start) for name in names)), None)


def by_configuration(folder: Path) -> str | None:
    """What the folder's config.json says that its model is; None where it may be read, and where nothing is said.

    Beside an open_clip_config.json it is about the text tower alone.
    """
    if (folder / "open_clip_config.json").is_file():
        return None
    try:
        kind = read_object(folder / "config.json").get("model_type")
    except ModelError:
        return None
    if not isinstance(kind, str) or kind in READ:
        return None
    return f"{MODEL_TYPES.get(kind, f'a model of the type {kind[:40]!r}')} (Hugging Face)"


def refuse(folder: Path) -> None:
    """Raises CheckpointError where the folder's config.json is of a family that is not read."""
    if (what := by_configuration(folder)) is not None:
        raise refused(what)


def refused(what: str) -> CheckpointError:
    return CheckpointError(f"this is {what}, which this version of SeeSay does not read")
