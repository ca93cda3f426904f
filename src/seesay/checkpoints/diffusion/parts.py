"""What a generator's file holds, part by part, told by the beginnings of its tensors' names."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import prod

from seesay.checkpoints.containers.weights import TensorInfo

# By the beginnings of names in single files; the first that fits counts.
BEGINNINGS = {
    "model.diffusion_model.": "denoiser",
    "model_ema.": "averaged denoiser",
    "first_stage_model.": "vae",
    "vae.": "vae",
    "cond_stage_model.": "text encoder",
    "conditioner.embedders.": "text encoder",
    "text_encoders.": "text encoder",
    "safety_checker.": "safety checker",
    "control_model.": "controlnet",
}
# A file of one part alone, by any name with this beginning; in this order.
ALONE = {
    "lora_": "lora",
    "controlnet_": "controlnet",
    "control_model.": "controlnet",
    "concept_embeds": "safety checker",
    "vision_model.concept_embeds": "safety checker",
    "down_blocks.": "denoiser",
    "double_blocks.": "denoiser",
    "joint_blocks.": "denoiser",
    "input_blocks.": "denoiser",
    "transformer_blocks.": "denoiser",
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
    "textual inversion": "a textual inversion, new words for another file's text encoder",
    "controlnet": "a ControlNet",
    "safety checker": "a safety checker",
}
PARTS = {
    "denoiser": "the denoiser (UNet or transformer)",
    "averaged denoiser": "its running average",
    "vae": "the VAE",
    "controlnet": "a ControlNet",
    "safety checker": "the safety checker",
}
BYTES = {"float64": 8, "int64": 8, "float32": 4, "int32": 4, "float16": 2, "bfloat16": 2}


@dataclass(frozen=True)
class Part:
    """One part of a file. kind: "denoiser", "vae", "text encoder", ... or "other". megabytes: of 10^6 bytes."""

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
        return "textual inversion"
    return next((kind for start, kind in ALONE.items() if any(name.startswith(start) for name in names)), None)


def parts_of(tensors: Mapping[str, TensorInfo]) -> tuple[Part, ...]:
    """The parts of a file, the largest first."""
    alone = kind_of(tensors)
    sums: dict[str, list[int]] = {}
    for name, info in tensors.items():
        kind = BEGINNINGS.get(_beginning(name), alone or "other")
        counted = sums.setdefault(kind, [0, 0, 0])
        size = prod(info.shape)
        for i, number in enumerate((1, size, size * BYTES.get(info.dtype, 1))):
            counted[i] += number
    found = [Part(kind, count, size, round(number / 1e6, 1)) for kind, (count, size, number) in sums.items()]
    return tuple(sorted(found, key=lambda part: -part.parameters))


def phrase(tensors: Mapping[str, TensorInfo]) -> str | None:
    """What a generator's file without a text encoder of CLIP is, in words; None for a file that may be a checkpoint."""
    if (kind := kind_of(tensors)) is not None:
        return PHRASES[kind]
    held = [part.kind for part in parts_of(tensors) if part.kind != "other"]
    if "text encoder" in held:
        name = next(name for name in tensors if BEGINNINGS.get(_beginning(name)) == "text encoder")
        return f"a generator's file with another text encoder than CLIP's ({name}, ...)"
    return "a generator's file with " + " and ".join(PARTS[kind] for kind in held) + " alone" if held else None


def _beginning(name: str) -> str:
    return next((start for start in BEGINNINGS if name.startswith(start)), "")
