"""`PreTrainedModel`: base of transformers' models, opened by name with `from_pretrained`."""

import os
from typing import Self

import torch
from torch import Tensor

from seesay.checkpoints.reader import Checkpoint
from seesay.compat.checked_clip import CheckedClip
from seesay.compat.lookup import find_checkpoint
from seesay.compat.processors import TextTokenizer
from seesay.errors import InputError
from seesay.models.tower_config import TextTowerConfig


class PreTrainedModel(CheckedClip):
    """How transformers' models are opened, and how they treat padding."""

    ids_source = "CLIPProcessor or CLIPTokenizerFast.from_pretrained(name), with the model's name"

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
        """The model, in eval mode. `attn_implementation` and `use_safetensors` change nothing: there is one attention, and the
        safer file is always preferred. `threads`: of torch on a CPU, by default as many as there are free cores.
        Raises InputError, ModelError, DownloadError."""
        model = cls(name if isinstance(name, Checkpoint) else find_checkpoint(name), threads)
        device = "cuda" if device_map == "auto" and torch.cuda.is_available() else device_map
        return model.to(device=None if device == "auto" else device, dtype=_torch_dtype(dtype or torch_dtype))

    def without_padding(self, ids: Tensor, mask: Tensor) -> Tensor:
        """ids (N, L) with the padding id where the mask is 0; the towers recognise padding by its id. Raises InputError."""
        if mask.shape != ids.shape:
            raise InputError(
                f"attention_mask {tuple(mask.shape)} does not fit input_ids {tuple(ids.shape)}",
                parameter="attention_mask",
                expected=f"the shape {tuple(ids.shape)}",
                got=tuple(mask.shape),
            )
        is_token = mask != 0
        if bool((is_token[:, 1:] & ~is_token[:, :-1]).any()):
            raise InputError("attention_mask has tokens after padding; pad on the right", parameter="attention_mask")
        return ids.masked_fill(~is_token, pad_id(self.tokenizer, self.config.text))


def pad_id(tokenizer: TextTokenizer | None, text: TextTowerConfig | None) -> int:
    """The id that transformers pads with: CLIP's end of text, of which the towers read the first; BERT's own padding."""
    if text is not None and text.end_id is not None:
        return text.end_id
    if text is not None and text.pad_id is not None:
        return text.pad_id
    return 0 if tokenizer is None else tokenizer.spec.pad_id


def _torch_dtype(dtype: torch.dtype | str | None) -> torch.dtype | None:
    """A dtype by its name in torch; None for "auto", the one that the weights have. Raises InputError."""
    if not isinstance(dtype, str):
        return dtype
    if dtype == "auto":
        return None
    named = getattr(torch, dtype, None)
    if not isinstance(named, torch.dtype):
        expected = "'auto', or a name such as 'float32' or 'bfloat16'"
        raise InputError(f"dtype is {expected}, got {dtype!r}", parameter="dtype", expected=expected, got=dtype)
    return named
