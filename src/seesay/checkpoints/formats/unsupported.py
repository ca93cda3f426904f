"""Recognises model families that no format reads, so that an error can name them."""

from collections.abc import Collection, Iterable
from pathlib import Path

from seesay.errors import CheckpointError, ModelError
from seesay.system.schema import read_object

# By the start of a tensor name; the first match counts.
NAMES = {
    "text_model.rms_norm.": "an AIMv2 model (Hugging Face)",
    "qformer.": "a BLIP-2 model (Hugging Face)",
    "cross_modal_": "a BridgeTower model (Hugging Face)",
    "vision_model.layers.": "a pair of other models' towers (Hugging Face VisionTextDualEncoder)",
    "pre_LN.": "an AltCLIP text tower alone (Hugging Face), which has no projection into the shared space",
    "vision_model.encoder.layers.0.self_attn.qkv.": "a BLIP model (Hugging Face)",
    "vision_model.pre_layernorm.": "an OWL-ViT model without its heads, or an X-CLIP model (Hugging Face)",
    "vision_model.encoder.stages.": "a GroupViT model (Hugging Face)",
    "image_model.": "a FLAVA model (Hugging Face)",
    "audio_model.": "a CLAP model (Hugging Face)",
    "embeddings.word_embeddings.": "a BERT-like text model alone (Hugging Face), which has no projection into a shared space",
    "image_encoder_without_ddp.": 'a TinyCLIP model that was pruned while it was trained ("auto")',
    "image_encoder.model.": "a MobileCLIP model in Apple's own layout (OpenCLIP's is read)",
    "cond_stage_model.": "a Stable Diffusion model (seesay models inspect says what is in it)",
    "conditioner.embedders.": "a Stable Diffusion XL model (seesay models inspect says what is in it)",
    "model.diffusion_model.": "a generator's model without a text encoder (seesay models inspect says what is in it)",
}
# By `model_type` in transformers' config.json; a type that is not listed is named by itself.
MODEL_TYPES = {
    "siglip2": "a SigLIP 2 model of NaFlex (pictures of any shape)",
    "siglip2_text_model": "a SigLIP 2 text tower of NaFlex",
    "siglip2_vision_model": "a SigLIP 2 image tower of NaFlex (pictures of any shape)",
    "altclip_text_model": "an AltCLIP text tower alone, which has no projection into the shared space",
    "blip": "a BLIP model",
    "blip-2": "a BLIP-2 model",
    "clipseg": "a CLIPSeg model without its decoder",
    "groupvit": "a GroupViT model",
    "owlvit": "an OWL-ViT model without its heads",
    "owlv2": "an OWLv2 model without its heads",
    "xclip": "an X-CLIP model",
    "vision-text-dual-encoder": "a pair of other models' towers (VisionTextDualEncoder)",
    "chinese_clip_text_model": "a ChineseCLIP text tower alone, which has no projection into the shared space",
}


def by_names(names: Iterable[str]) -> str | None:
    """The unsupported family that has tensors of these names, or None."""
    names = tuple(names)
    return next((family for start, family in NAMES.items() if any(name.startswith(start) for name in names)), None)


def by_configuration(folder: Path, supported: Collection[str]) -> str | None:
    """The family that the folder's config.json names; None where its `model_type` is missing or supported.

    Beside an open_clip_config.json, config.json describes the text tower only and is not asked.
    """
    if (folder / "open_clip_config.json").is_file():
        return None
    try:
        kind = read_object(folder / "config.json").get("model_type")
    except ModelError:
        return None
    if not isinstance(kind, str) or kind in supported:
        return None
    return f"{MODEL_TYPES.get(kind, f'a model of the type {kind[:40]!r}')} (Hugging Face)"


def refusal(family: str) -> CheckpointError:
    """The error that names a family."""
    return CheckpointError(f"this is {family}, which this version of SeeSay does not read")
