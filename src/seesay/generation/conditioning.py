"""`Conditioning`: the tensors that a generator is given for a prompt and a negative prompt, and how they were made."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seesay.checkpoints.containers.outputs import header
from seesay.checkpoints.containers.saving import save_tensors
from seesay.generation.chunks import Chunk
from seesay.generation.prompt import Prompt
from seesay.generation.weighting import Rule
from seesay.system.files import atomic_write

if TYPE_CHECKING:
    from torch import Tensor

TENSORS = (
    "prompt_embeds",
    "negative_prompt_embeds",
    "pooled_prompt_embeds",
    "negative_pooled_prompt_embeds",
    "prompt_attention_mask",
    "negative_prompt_attention_mask",
)


@dataclass(frozen=True)
class Side:
    """One of the two prompts: as it was read, and its chunks as the (first) text encoder got them."""

    prompt: Prompt
    chunks: tuple[Chunk, ...]

    @property
    def weights(self) -> list[dict[str, Any]]:
        """Each part with a weight other than 1: its text and weight."""
        return [
            {"text": fragment.text.strip(), "weight": round(fragment.weight, 6)}
            for fragment in self.prompt.fragments
            if fragment.weight != 1 and fragment.text.strip()
        ]


@dataclass(frozen=True)
class Conditioning:
    """What a pipeline of diffusers takes in place of a prompt; pass `tensors` on as keyword arguments.

    prompt_embeds, negative_prompt_embeds (1, chunks * context, D) float32, of equal shape; pooled_prompt_embeds,
    negative_pooled_prompt_embeds (1, P) float32 where the generator has them; prompt_attention_mask and
    negative_prompt_attention_mask (1, chunks * context) int64 of a CLIP model by itself that masks padding. prompt_embeds is
    None for FLUX, which takes those of a T5 encoder. family: of the generator, None for a CLIP model by itself. web_clip_skip:
    the CLIP skip as web interfaces count it. fingerprint: SHA-256 of each text encoder's weights before LoRA. loras: of each
    its file's name, its scale, and how many layers of each text encoder it changed. embeddings: of each textual inversion its
    word, its file's name, the number of its vectors, and in which of "prompt" and "negative" it stands. notes: why the
    generator may not draw what the prompt says.
    """

    prompt_embeds: "Tensor | None"
    negative_prompt_embeds: "Tensor | None"
    pooled_prompt_embeds: "Tensor | None"
    negative_pooled_prompt_embeds: "Tensor | None"
    prompt_attention_mask: "Tensor | None"
    negative_prompt_attention_mask: "Tensor | None"
    positive: Side
    negative: Side
    family: str | None
    clip_skip: int | None
    web_clip_skip: int | None
    rule: Rule
    fingerprint: dict[str, str]
    loras: tuple[dict[str, Any], ...] = ()
    embeddings: tuple[dict[str, Any], ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def tensors(self) -> "dict[str, Tensor]":
        """The tensors that there are, by name."""
        return {name: value for name in TENSORS if (value := getattr(self, name)) is not None}

    @property
    def facts(self) -> dict[str, Any]:
        """How the tensors were made."""
        return {
            "family": self.family,
            "fingerprint": self.fingerprint,
            "clip_skip": self.clip_skip,
            "web_clip_skip": self.web_clip_skip,
            "rule": self.rule,
            "chunks": len(self.positive.chunks),
            "negative_chunks": len(self.negative.chunks),
            "weights": self.positive.weights,
            "negative_weights": self.negative.weights,
            "loras": list(self.loras),
            "embeddings": list(self.embeddings),
        }

    def save(self, file: str | Path) -> None:
        """Writes a safetensors file: `tensors`, and `facts` as strings in its header, those that are no strings as JSON.
        Raises ModelError, OSError."""
        tensors = {name: tensor.contiguous() for name, tensor in self.tensors.items()}
        with atomic_write(Path(file)) as draft:
            save_tensors(tensors, draft, header("conditioning", self.facts))
