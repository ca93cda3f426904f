"""What a generator's file holds, part by part, told by the beginnings of its tensors' names."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import prod

from seesay.checkpoints.containers.weights import TensorInfo

OTHER_ENCODER = "other_encoder"  # T5 or a language model
# By the beginnings of names in single files; the first that fits counts.
BEGINNINGS = {
    "model.diffusion_model.": "denoiser",
    "model_ema.": "averaged_denoiser",
    "first_stage_model.": "vae",
    "vae.": "vae",
    "cond_stage_model.": "text_encoder",
    "conditioner.embedders.": "text_encoder",
    "text_encoders.clip_": "text_encoder",
    "text_encoders.": OTHER_ENCODER,
    "safety_checker.": "safety_checker",
    "control_model.": "controlnet",
    "embedder.": "image_encoder",  # Stable unCLIP's
}
# A file of one part alone, by any name with this beginning; in this order.
ALONE = {
    "lora_": "lora",
    "image_proj.": "ip_adapter",
    "ip_adapter.": "ip_adapter",
    "controlnet_": "controlnet",
    "control_model.": "controlnet",
    "concept_embeds": "safety_checker",
    "vision_model.concept_embeds": "safety_checker",
    "down_blocks.": "denoiser",
    "double_blocks.": "denoiser",
    "joint_blocks.": "denoiser",
    "input_blocks.": "denoiser",
    "transformer_blocks.": "denoiser",
    "encoder.block.": OTHER_ENCODER,  # T5
    "encoder.down_blocks.": "vae",
    "encoder.down.": "vae",
    "decoder.up.": "vae",
}
LORA_ENDINGS = (".lora_down.weight", ".lora_up.weight", ".lora_A.weight", ".lora_B.weight", ".lora.down.weight", ".hada_w1_a")
EMBEDDING_NAMES = ("emb_params", "clip_l", "clip_g")  # of textual inversions, one tensor each
PHRASES = {
    "denoiser": "the denoiser alone (UNet or transformer)",
    "vae": "a VAE alone, which turns pictures into latents and back",
    "lora": "a LoRA, small changes to another file's weights",
    "textual_inversion": "a textual inversion, new words for another file's text encoder",
    "ip_adapter": "an IP-Adapter, by which a generator takes pictures; `seesay mix --for` makes what it takes",
    "controlnet": "a ControlNet",
    "safety_checker": "a safety checker",
    OTHER_ENCODER: "a text encoder of another kind (T5 or a language model)",
}
PARTS = {
    "denoiser": "the denoiser (UNet or transformer)",
    "averaged_denoiser": "its running average",
    "vae": "the VAE",
    "controlnet": "a ControlNet",
    "safety_checker": "the safety checker",
    OTHER_ENCODER: "a text encoder of another kind (T5 or a language model)",
}
BYTES = {"float64": 8, "int64": 8, "float32": 4, "int32": 4, "float16": 2, "bfloat16": 2}


@dataclass(frozen=True)
class Part:
    """One part of a file. kind: "denoiser", "vae", "text_encoder", ... or "other". megabytes: of 10^6 bytes."""

    kind: str
    tensors: int
    parameters: int
    megabytes: float


def kind_of(names: Iterable[str]) -> str | None:
    """The kind of a file that is one part alone, in names without a generator's beginnings; None for any other."""
    names = tuple(names)
    if any(name.endswith(LORA_ENDINGS) for name in names):
        return "lora"
    if names and (set(names) <= set(EMBEDDING_NAMES) or (len(names) == 1 and "." not in names[0])):
        return "textual_inversion"
    return next((kind for start, kind in ALONE.items() if any(name.startswith(start) for name in names)), None)


def part(kind: str, tensors: Iterable[TensorInfo]) -> Part:
    """The part of a kind with these tensors."""
    tensors = tuple(tensors)
    sizes = [prod(info.shape) for info in tensors]
    stored = sum(size * BYTES.get(info.dtype, 1) for size, info in zip(sizes, tensors, strict=True))
    return Part(kind, len(tensors), sum(sizes), round(stored / 1e6, 1))


def parts_of(tensors: Mapping[str, TensorInfo]) -> tuple[Part, ...]:
    """The parts of a file, the largest first."""
    alone = kind_of(tensors)
    held: dict[str, list[TensorInfo]] = {}
    for name, info in tensors.items():
        held.setdefault(BEGINNINGS.get(_beginning(name), alone or "other"), []).append(info)
    found = [part(kind, infos) for kind, infos in held.items()]
    return tuple(sorted(found, key=lambda each: -each.parameters))


def phrase(tensors: Mapping[str, TensorInfo]) -> str | None:
    """What a generator's file without a text encoder of CLIP is, in words; None for a file that may be a checkpoint."""
    if (kind := kind_of(tensors)) is not None:
        return PHRASES[kind]
    held = [part.kind for part in parts_of(tensors) if part.kind != "other"]
    if "text_encoder" in held:
        name = next(name for name in tensors if BEGINNINGS.get(_beginning(name)) == "text_encoder")
        return f"a generator's file with another text encoder than CLIP's ({name}, ...)"
    both = " + ".join(PARTS[kind] for kind in held)
    return f"a generator's file with {both} alone" if held else None


def _beginning(name: str) -> str:
    return next((start for start in BEGINNINGS if name.startswith(start)), "")
