"""What stands before the towers: `Preprocess`, a picture -> pixels, and `Words`, texts -> ids."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from seesay.errors import InputError, ModelError
from seesay.images.preprocess import load_pixels
from seesay.images.spec import ImageSpec
from seesay.tokenizers import Tokenizer, Tokens
from seesay.tokenizers.spec import TokenizerSpec

if TYPE_CHECKING:
    from seesay.images.read import ImageInput

CONTEXT = 77  # what everybody pads to; a model with a longer context takes more when asked
NOTHING = -1  # padding that no vocabulary has, replaced by each package's own


@dataclass(frozen=True)
class Preprocess:
    """A PIL image, or anything else that SeeSay reads, -> pixels (3, size_px, size_px) float32."""

    spec: ImageSpec

    def __call__(self, image: "ImageInput") -> Tensor:
        return torch.from_numpy(load_pixels(image, self.spec)[0])


class Words:
    """One vocabulary at any context length. `name` is the model's, for messages."""

    def __init__(self, vocabulary: bytes | None, spec: TokenizerSpec, name: str) -> None:
        self.vocabulary = vocabulary
        self.spec = spec
        self.name = name
        self.context = min(CONTEXT, spec.context_length)
        self._tokenizers: dict[int, Tokenizer] = {}

    def __call__(self, texts: Sequence[str], length: int | None = None) -> Tokens:
        """Texts -> ids (N, longest), cut at `length` and padded with NOTHING."""
        length = self.context if length is None else length
        if self.vocabulary is None:
            raise ModelError(f"model {self.name!r} came without its vocabulary; put its tokenizer.json beside the weights")
        if length < 1:
            raise InputError(f"expected a context length of at least 1, got {length}")
        if length not in self._tokenizers:
            spec = replace(self.spec, context_length=length, pad_id=NOTHING, padding="longest")
            self._tokenizers[length] = Tokenizer(self.vocabulary, spec)
        return self._tokenizers[length](texts)

    @property
    def first(self) -> int | None:
        """The id that begins every text, if there is one."""
        ids = self([""]).ids
        return int(ids[0, 0]) if ids.size else None

    @property
    def ignores_case(self) -> bool:
        return bool(np.array_equal(self(["A Dog"]).ids, self(["a dog"]).ids))


def listed(texts: object) -> list[str]:
    """One text or many -> many. Raises InputError."""
    many = [texts] if isinstance(texts, str) else texts
    if not isinstance(many, Sequence) or not all(isinstance(text, str) for text in many):
        raise InputError(f"expected a string or a list of strings, got {type(texts).__name__}: {texts!r:.60}")
    return list(many)


def padded(tokens: Tokens, length: int, pad_id: int) -> Tensor:
    """-> (N, length) int64"""
    ids = np.full((len(tokens.ids), length), pad_id, dtype=np.int64)
    ids[:, : tokens.ids.shape[1]] = np.where(tokens.ids == NOTHING, pad_id, tokens.ids)
    return torch.from_numpy(ids)
