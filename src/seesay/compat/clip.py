"""OpenAI's `clip`: load, available_models, tokenize.

    from seesay.compat import clip

    model, preprocess = clip.load("ViT-B/32")   # any name or path that seesay.load takes, "bundled" too
    features = model.encode_image(preprocess(picture).unsqueeze(0))

`tokenize` knows no model and always returns ids of OpenAI's vocabulary. A model with another vocabulary (the bundled one,
Chinese-CLIP) decodes them to words and tokenizes those itself, so that published code works with it unchanged. Ordinary words
survive that exactly (tests/compat). OpenAI's ids keep no capitals, no curly quotes, and no space between a digit and a letter:
"mp3" and "mp 3" have the same ids, so a digit beside a letter is reported by a warning. `model.tokenize(texts)` returns the
model's own ids directly. A model whose vocabulary distinguishes capitals accepts only those.
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

from seesay.compat.checked_clip import CheckedClip, default_device
from seesay.compat.lookup import find_checkpoint
from seesay.compat.missing_names import missing_names
from seesay.compat.processors import CONTEXT, Preprocess, TextTokenizer, padded_ids, text_list
from seesay.errors import MissingCapability, TextTooLong
from seesay.system.cpu import check_threads
from seesay.tokenizers import SPECS, vocabulary
from seesay.tokenizers.from_files import byte_alphabet
from seesay.tokenizers.vocabulary import PIECES

__all__ = ["CLIP", "TextTooLong", "available_models", "load", "tokenize"]
__getattr__ = missing_names(__name__, "clip", __all__)

START_ID = PIECES["clip"] - 2
END_ID = PIECES["clip"] - 1
NAMES = ("RN50", "RN101", "RN50x4", "RN50x16", "RN50x64", "ViT-B/32", "ViT-B/16", "ViT-L/14", "ViT-L/14@336px")


class CLIP(CheckedClip):
    """The model that `load` returns: raw projections, and logits at the model's own scale."""

    ids_source = "model.tokenize(texts)"

    def tokenize(self, texts: str | Sequence[str], context_length: int | None = None, truncate: bool = False) -> Tensor:
        """One text or a list -> ids (N, context_length) int32 of this model's own vocabulary. Raises TextTooLong."""
        if self.tokenizer is None:
            raise MissingCapability(f"model {self.config.name!r} has no text tower: it encodes pictures only")
        return _tokenize(self.tokenizer, texts, context_length or self.tokenizer.context, truncate)

    def encode_image(self, image: Tensor) -> Tensor:
        """pixels (N, 3, side, side) -> (N, dim), not normalised"""
        return self.project_image(image)

    def encode_text(self, text: Tensor) -> Tensor:
        """ids (N, L) -> (N, dim), not normalised. (1, 1, L), as courses write it for one text, means (1, L)."""
        return self.project_text(text[0] if text.ndim == 3 and text.shape[:2] == (1, 1) else text)

    def forward(self, image: Tensor, text: Tensor) -> tuple[Tensor, Tensor]:
        """-> logits_per_image (N, M), logits_per_text (M, N): scaled cosines"""
        logits = self.logits(self.encode_image(image), self.encode_text(text))
        return logits, logits.T

    def checked_ids(self, ids: Tensor) -> Tensor:
        return super().checked_ids(self._translated(ids) if self._is_translatable(ids) else ids)

    def _is_translatable(self, ids: Tensor) -> bool:
        """True for OpenAI's ids, if the model's vocabulary is another one that loses nothing by the translation."""
        text, tokenizer = self.config.text, self.tokenizer
        if text is None or tokenizer is None or tokenizer.vocabulary is None or ids.ndim != 2 or not ids.numel():
            return False
        native = text.end_id is not None and text.vocabulary == PIECES["clip"]
        return not native and bool((ids[:, 0] == START_ID).all()) and tokenizer.ignores_case

    def _translated(self, ids: Tensor) -> Tensor:
        """OpenAI's ids (N, L) -> the model's own (N, L')."""
        assert self.tokenizer is not None
        texts = [decode(row) for row in ids.tolist()]
        if any(re.search(r"[^\W\d_] \d|\d [^\W\d_]", text) for text in texts):
            warnings.warn(
                "OpenAI's ids do not say whether a digit beside a word stood apart ('mp3' or 'mp 3'); it is taken to. "
                f"{self.ids_source} keeps what was written",
                stacklevel=5,
            )
        length = self.tokenizer.spec.context_length
        if self.tokenizer.spec.padding == "longest":
            length = min(length, max(CONTEXT, self.tokenizer(texts, length).ids.shape[1]))
        return _tokenize(self.tokenizer, texts, length, truncate=False).to(ids.device)


def load(
    name: str | os.PathLike[str],
    device: str | torch.device | None = None,
    jit: bool = False,
    download_root: str | None = None,
    *,
    threads: int | None = None,
    **overrides: Any,
) -> tuple[CLIP, Preprocess]:
    """The model, in eval mode, and its preprocessing: an image -> pixels (3, side, side).

    `device`: the first GPU if there is one, else the CPU. `jit` changes nothing: the towers run in torch as they are.
    `threads`: of torch on a CPU, by default as many as there are free cores. `overrides`: what a checkpoint's file does not
    say, such as activation="quick_gelu" (see `seesay.load`). Raises InputError, ModelError, DownloadError.
    """
    if download_root is not None:
        warnings.warn("download_root is not used: set SEESAY_CACHE to say where models are kept", stacklevel=2)
    check_threads(threads)
    model = CLIP(find_checkpoint(name, **overrides), threads)
    _ = model.visual  # a text tower alone has no preprocessing to return
    return model.to(device or default_device()), model.preprocess


def available_models() -> list[str]:
    """The names of OpenAI's nine models. `load` takes more: seesay models list."""
    return list(NAMES)


def tokenize(texts: str | Sequence[str], context_length: int = CONTEXT, truncate: bool = False) -> Tensor:
    """One text or a list -> ids (N, context_length) int32 of OpenAI's vocabulary, padded with 0.

    Raises TextTooLong for a text longer than the context, unless `truncate` is true.
    """
    return _tokenize(_openai_tokenizer(), texts, context_length, truncate)


def _tokenize(tokenizer: TextTokenizer, texts: str | Sequence[str], length: int, truncate: bool) -> Tensor:
    texts = text_list(texts)
    tokens = tokenizer(texts, length)
    if tokens.truncated.any() and not truncate:
        text = texts[int(tokens.truncated.argmax())]
        raise TextTooLong(
            f"Input {text} is too long for context length {length}; pass truncate=True to cut its end",
            parameter="texts",
            expected=f"at most {length} tokens",
            got=text,
        )
    return padded_ids(tokens, length, tokenizer.spec.pad_id).int()


@cache
def _openai_tokenizer() -> TextTokenizer:
    return TextTokenizer(vocabulary("clip"), SPECS["clip"], "OpenAI's vocabulary")


def decode(ids: Sequence[int]) -> str:
    """The words of a row of OpenAI's ids, in lower case, digits joined to numbers."""
    pieces, letters = _vocabulary_pieces(), byte_alphabet()
    end = ids.index(END_ID) if END_ID in ids else len(ids)
    spelled = "".join(pieces.get(number, "") for number in ids[1:end]).replace("</w>", " ")
    codes = {letter: byte for byte, letter in letters.items()}
    text = bytes(codes.get(letter, ord(" ")) for letter in spelled).decode("utf-8", "replace").strip()
    return re.sub(r"(?<=\d) (?=\d)", "", text)


@cache
def _vocabulary_pieces() -> dict[int, str]:
    """id -> piece of OpenAI's vocabulary, without the two special ids."""
    vocab: dict[str, int] = json.loads(vocabulary("clip"))["model"]["vocab"]
    return {number: piece for piece, number in vocab.items() if number < START_ID}
