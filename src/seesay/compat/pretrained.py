"""`Pretrained`: a model of transformers, opened by its name."""

import os
from typing import Self

import torch
from torch import Tensor

from seesay.checkpoints.reader import Checkpoint
from seesay.compat.inputs import Words
from seesay.compat.sources import opened
from seesay.compat.towers import Towers
from seesay.errors import InputError
from seesay.models.tower_config import TextTowerConfig
from seesay.system.cpu import checked_threads


class Pretrained(Towers):
    """What transformers' models have in common: how they are opened, and what they do with padding."""

    ids_come_from = "CLIPProcessor or CLIPTokenizerFast.from_pretrained(name), with the model's name"

    @classmethod
    def from_pretrained(
        cls,
        name: str | os.PathLike[str] | Checkpoint,
        *,
        dtype: torch.dtype | str | None = None,
        torch_dtype: torch.dtype | str | None = None,
        device_map: str | None = None,
        attn_implementation: str | None = None,
        use_safetensors: bool | None = None,
        threads: int | None = None,
    ) -> Self:
        """In eval mode. `attn_implementation` and `use_safetensors` change nothing: there is one attention, and the safer file
        is always preferred. `threads`: of torch on a CPU, by default as many as there are free cores."""
        model = cls(name if isinstance(name, Checkpoint) else opened(name), checked_threads(threads))
        chosen = dtype or torch_dtype
        if isinstance(chosen, str):
            chosen = None if chosen == "auto" else getattr(torch, chosen, None) or _unknown_dtype(chosen)
        device = "cuda" if device_map == "auto" and torch.cuda.is_available() else device_map
        return model.to(device=None if device == "auto" else device, dtype=chosen)

    def without_padding(self, ids: Tensor, mask: Tensor) -> Tensor:
        """The towers know padding by its id, so what the mask leaves out gets it."""
        if mask.shape != ids.shape:
            raise InputError(f"attention_mask {tuple(mask.shape)} does not fit input_ids {tuple(ids.shape)}")
        kept = mask != 0
        if bool((kept[:, 1:] & ~kept[:, :-1]).any()):
            raise InputError("attention_mask has tokens after padding; pad on the right")
        return ids.masked_fill(~kept, pad_id(self.words, self.config.text))


def pad_id(words: Words | None, text: TextTowerConfig | None) -> int:
    """transformers pads CLIP's texts with more ends of text, of which the towers see the first; BERT's with its padding."""
    if text is not None and text.end_id is not None:
        return text.end_id
    if text is not None and text.pad_id is not None:
        return text.pad_id
    return 0 if words is None else words.spec.pad_id


def _unknown_dtype(dtype: str) -> torch.dtype:
    raise InputError(f"dtype is 'auto', or a name such as 'float32' or 'bfloat16', got {dtype!r}")
