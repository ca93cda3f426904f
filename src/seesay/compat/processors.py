"""Inputs of the compat models: `Preprocess` (an image to pixels) and `TextTokenizer` (texts to ids)."""

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

CONTEXT = 77  # default of all three packages; a model with a longer context takes more on request
PADDING = -1  # an id that no vocabulary has; each package replaces it with its own


@dataclass(frozen=True)
class Preprocess:
    """A PIL image, or anything else that SeeSay reads, -> pixels (3, size_px, size_px) float32. Raises UnreadableImage."""

    spec: ImageSpec

    def __call__(self, image: "ImageInput") -> Tensor:
        return torch.from_numpy(load_pixels(image, self.spec)[0])


class TextTokenizer:
    """One vocabulary at any context length. `name` is the model's, for messages."""

    def __init__(self, vocabulary: bytes | None, spec: TokenizerSpec, name: str) -> None:
        self.vocabulary = vocabulary
        self.spec = spec
        self.name = name
        self.context = min(CONTEXT, spec.context_length)
        self._tokenizers: dict[int, Tokenizer] = {}

    def __call__(self, texts: Sequence[str], length: int | None = None) -> Tokens:
        """Texts -> ids (N, longest), truncated to `length` and padded with PADDING. Raises InputError, ModelError."""
        length = self.context if length is None else length
        if self.vocabulary is None:
            raise ModelError(f"model {self.name!r} came without its vocabulary; put its tokenizer.json beside the weights")
        if length < 1:
            raise InputError(
                f"expected a context length of at least 1, got {length}",
                parameter="context_length",
                expected="at least 1",
                got=length,
            )
        if length not in self._tokenizers:
            spec = replace(self.spec, context_length=length, pad_id=PADDING, padding="longest")
            self._tokenizers[length] = Tokenizer(self.vocabulary, spec)
        return self._tokenizers[length](texts)

    @property
    def start_id(self) -> int | None:
        """The id that begins every text; None if the vocabulary has no such id."""
        ids = self([""]).ids
        return int(ids[0, 0]) if ids.size else None

    @property
    def ignores_case(self) -> bool:
        """True if the vocabulary does not distinguish capitals."""
        return bool(np.array_equal(self(["A Dog"]).ids, self(["a dog"]).ids))


def text_list(texts: object) -> list[str]:
    """One text or a sequence of texts -> a list. Raises InputError."""
    many = [texts] if isinstance(texts, str) else texts
    if not isinstance(many, Sequence) or not all(isinstance(text, str) for text in many):
        raise InputError(
            f"expected a string or a list of strings, got {type(texts).__name__}: {texts!r:.60}",
            expected="a string or a list of strings",
            got=texts,
        )
    return list(many)


def padded_ids(tokens: Tokens, length: int, pad_id: int) -> Tensor:
    """Tokens -> ids (N, length) int64."""
    ids = np.full((len(tokens.ids), length), pad_id, dtype=np.int64)
    ids[:, : tokens.ids.shape[1]] = np.where(tokens.ids == PADDING, pad_id, tokens.ids)
    return torch.from_numpy(ids)
