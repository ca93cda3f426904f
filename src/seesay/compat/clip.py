"""OpenAI's `clip`: load, available_models, tokenize.

    from seesay.compat import clip

    model, preprocess = clip.load("ViT-B/32")   # any name or path that seesay.load takes, "bundled" too
    features = model.encode_image(preprocess(picture).unsqueeze(0))

`tokenize` knows no model. It always gives the ids of OpenAI's vocabulary, and a model with another vocabulary (the bundled
one, Chinese-CLIP) reads them back as words and cuts those its own way, so that published code works with it unchanged.
Ordinary words come through exactly (tests/compat). OpenAI's ids keep no capitals, no curly quotes, and not whether a digit
stood apart: "mp3" and "mp 3" are the same to them, and where a digit meets a word there is a warning. `model.tokenize(texts)`
gives the model's own ids straight away. A model whose vocabulary tells capitals apart takes only those.
"""

import json
import os
import re
import warnings
from collections.abc import Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor

from seesay.compat.absent import absent
from seesay.compat.inputs import CONTEXT, Preprocess, Words, listed, padded
from seesay.compat.sources import opened
from seesay.compat.towers import Towers, default_device
from seesay.errors import MissingCapability, TextTooLong
from seesay.models.families.clip_text.config import ClipTextConfig
from seesay.system.cpu import checked_threads
from seesay.tokenizers import SPECS, vocabulary
from seesay.tokenizers.from_files import byte_alphabet
from seesay.tokenizers.vocabulary import PIECES

__all__ = ["CLIP", "TextTooLong", "available_models", "load", "tokenize"]
__getattr__ = absent(__name__, "clip", __all__)

START, END = PIECES["clip"] - 2, PIECES["clip"] - 1
NAMES = ("RN50", "RN101", "RN50x4", "RN50x16", "RN50x64", "ViT-B/32", "ViT-B/16", "ViT-L/14", "ViT-L/14@336px")


class CLIP(Towers):
    """The model of `load`: raw projections, and logits at the model's own scale."""

    ids_come_from = "model.tokenize(texts)"

    def tokenize(self, texts: str | Sequence[str], context_length: int | None = None, truncate: bool = False) -> Tensor:
        """One text or a list -> ids (N, context_length) int32 of this model's own vocabulary."""
        if self.words is None:
            raise MissingCapability(f"model {self.config.name!r} has no text tower: it encodes pictures only")
        return _tokenize(self.words, texts, context_length or self.words.context, truncate)

    def encode_image(self, image: Tensor) -> Tensor:
        """pixels (N, 3, side, side) -> (N, dim), not normalised"""
        return self.pictures(image)

    def encode_text(self, text: Tensor) -> Tensor:
        """ids (N, L) -> (N, dim), not normalised. (1, 1, L), as courses have it of one text, means (1, L)."""
        return self.texts(text[0] if text.ndim == 3 and text.shape[:2] == (1, 1) else text)

    def forward(self, image: Tensor, text: Tensor) -> tuple[Tensor, Tensor]:
        """-> logits_per_image (N, M), logits_per_text (M, N): scaled cosines"""
        logits = self.logits(self.encode_image(image), self.encode_text(text))
        return logits, logits.T

    def checked(self, ids: Tensor) -> Tensor:
        return super().checked(self._translated(ids) if self._can_read(ids) else ids)

    def _can_read(self, ids: Tensor) -> bool:
        """Whether these are OpenAI's ids, and the model's vocabulary another one that can replace it."""
        text, words = self.config.text, self.words
        if text is None or words is None or words.vocabulary is None or ids.ndim != 2 or not ids.numel():
            return False
        native = isinstance(text, ClipTextConfig) and text.vocabulary == PIECES["clip"]
        return not native and bool((ids[:, 0] == START).all()) and words.ignores_case

    def _translated(self, ids: Tensor) -> Tensor:
        assert self.words is not None
        texts = [spoken(row) for row in ids.tolist()]
        if any(re.search(r"[^\W\d_] \d|\d [^\W\d_]", text) for text in texts):
            warnings.warn(
                "OpenAI's ids do not say whether a digit beside a word stood apart ('mp3' or 'mp 3'); it is taken to. "
                f"{self.ids_come_from} keeps what was written",
                stacklevel=5,
            )
        length = self.words.spec.context_length
        if self.words.spec.padding == "longest":
            length = min(length, max(CONTEXT, self.words(texts, length).ids.shape[1]))
        return _tokenize(self.words, texts, length, truncate=False).to(ids.device)


def load(
    name: str | os.PathLike[str],
    device: str | torch.device | None = None,
    jit: bool = False,
    download_root: str | None = None,
    *,
    threads: int | None = None,
    **said: Any,
) -> tuple[CLIP, Preprocess]:
    """The model, in eval mode, and its preprocessing: a picture -> pixels (3, side, side).

    `device`: the first GPU if there is one, else the CPU. `jit` changes nothing: the towers run in torch as they are.
    `threads`: of torch on a CPU, by default as many as there are free cores. `said`: what a checkpoint's file leaves open, such
    as activation="quick_gelu" (see `seesay.load`). Raises InputError, ModelError, DownloadError.
    """
    if download_root is not None:
        warnings.warn("download_root is not used: set SEESAY_CACHE to say where models are kept", stacklevel=2)
    checked_threads(threads)
    model = CLIP(opened(name, **said), threads)
    _ = model.visual  # a text tower alone has no preprocessing to return
    return model.to(device or default_device()), model.preprocess


def available_models() -> list[str]:
    """OpenAI's nine. `load` takes more: seesay models list."""
    return list(NAMES)


def tokenize(texts: str | Sequence[str], context_length: int = CONTEXT, truncate: bool = False) -> Tensor:
    """One text or a list -> ids (N, context_length) int32 of OpenAI's vocabulary, padded with 0.

    A text that is too long raises TextTooLong; with truncate it loses its end.
    """
    return _tokenize(_openai(), texts, context_length, truncate)


def _tokenize(words: Words, texts: str | Sequence[str], length: int, truncate: bool) -> Tensor:
    texts = listed(texts)
    tokens = words(texts, length)
    if tokens.truncated.any() and not truncate:
        text = texts[int(tokens.truncated.argmax())]
        raise TextTooLong(f"Input {text} is too long for context length {length}; pass truncate=True to cut its end")
    return padded(tokens, length, words.spec.pad_id).int()


@cache
def _openai() -> Words:
    return Words(vocabulary("clip"), SPECS["clip"], "OpenAI's vocabulary")


def spoken(ids: Sequence[int]) -> str:
    """The words of a row of OpenAI's ids, in lower case, digits joined to numbers."""
    words, letters = _pieces(), byte_alphabet()
    end = ids.index(END) if END in ids else len(ids)
    pieces = "".join(words.get(number, "") for number in ids[1:end]).replace("</w>", " ")
    codes = {letter: byte for byte, letter in letters.items()}
    text = bytes(codes.get(letter, ord(" ")) for letter in pieces).decode("utf-8", "replace").strip()
    return re.sub(r"(?<=\d) (?=\d)", "", text)


@cache
def _pieces() -> dict[int, str]:
    vocab: dict[str, int] = json.loads(vocabulary("clip"))["model"]["vocab"]
    return {number: piece for piece, number in vocab.items() if number < START}
