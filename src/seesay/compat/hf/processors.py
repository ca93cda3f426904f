"""Hugging Face's processors: `CLIPTokenizerFast`, `CLIPImageProcessor`, `CLIPProcessor` (both) and `AutoProcessor`."""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image

from seesay.compat.hf.attribute_dict import AttributeDict
from seesay.compat.hf.pretrained_model import pad_id
from seesay.compat.lookup import InputSpec, find_input_spec
from seesay.compat.processors import PADDING, Preprocess, text_list
from seesay.errors import InputError


class CLIPTokenizerFast:
    """Texts -> ids and attention masks, padded and truncated on request."""

    def __init__(self, spec: InputSpec) -> None:
        self.tokenizer = spec.require_tokenizer()
        self.pad_token_id = pad_id(self.tokenizer, spec.text)
        self.model_max_length = self.tokenizer.spec.context_length

    @classmethod
    def from_pretrained(cls, name: str | os.PathLike[str], *, use_fast: bool = True) -> "CLIPTokenizerFast":
        """Downloads no weights if the catalogue knows the vocabulary. There is one tokenizer, whatever `use_fast` says."""
        return cls(find_input_spec(name))

    def __call__(
        self,
        text: str | Sequence[str],
        *,
        padding: bool | str = False,
        truncation: bool = False,
        max_length: int | None = None,
        return_tensors: str | None = None,
    ) -> AttributeDict:
        """-> input_ids and attention_mask, (N, L).

        padding: True or "longest", "max_length", or False. A text longer than `max_length`, or than the model's context, is an
        error unless truncation cuts its end. return_tensors: "pt", "np", or None for lists.
        """
        texts, most = text_list(text), min(max_length or self.model_max_length, self.model_max_length)
        tokens = self.tokenizer(texts, most)
        if tokens.truncated.any() and not truncation:
            long_text = texts[int(tokens.truncated.argmax())]
            raise InputError(f"{long_text!r:.60} is longer than {most} tokens; pass truncation=True to cut its end")
        rows = tokens.ids
        if padding == "max_length":
            rows = np.pad(rows, ((0, 0), (0, most - rows.shape[1])), constant_values=PADDING)
        elif padding not in (True, False, "longest", "do_not_pad"):
            raise InputError(f"padding is True, 'longest', 'max_length' or False, got {padding!r}")
        mask = (rows != PADDING).astype(np.int64)
        ids = np.where(rows == PADDING, self.pad_token_id, rows)
        if padding in (False, "do_not_pad"):
            if return_tensors is not None and not mask.all():
                raise InputError("texts of different lengths make no tensor; pass padding=True")
            lists = {"input_ids": _lists(ids, mask), "attention_mask": _lists(mask, mask)}
            if return_tensors is None:
                return AttributeDict({name: many[0] if isinstance(text, str) else many for name, many in lists.items()})
        return AttributeDict(input_ids=_as_type(ids, return_tensors), attention_mask=_as_type(mask, return_tensors))


class CLIPImageProcessor:
    """Images -> pixel values, by the model's own preprocessing."""

    def __init__(self, spec: InputSpec) -> None:
        self.preprocess_one = Preprocess(spec.require_image_spec())

    @classmethod
    def from_pretrained(cls, name: str | os.PathLike[str], *, use_fast: bool = True) -> "CLIPImageProcessor":
        """The image processor of any name that `seesay.load` takes. There is one, whatever `use_fast` says."""
        return cls(find_input_spec(name))

    def __call__(self, images: Any, *, return_tensors: str | None = None) -> AttributeDict:
        """One picture (PIL, or anything that SeeSay reads) or a list of them -> pixel_values (N, 3, side, side)"""
        many = list(images) if isinstance(images, list | tuple) else [images]
        if not many:
            raise InputError("expected at least one picture, got none")
        pixels = np.stack([self.preprocess_one(image).numpy() for image in many])
        return AttributeDict(pixel_values=list(pixels) if return_tensors is None else _as_type(pixels, return_tensors))


class CLIPProcessor:
    """Tokenizer and image processor of one model."""

    def __init__(self, spec: InputSpec) -> None:
        self.tokenizer = CLIPTokenizerFast(spec)
        self.image_processor = CLIPImageProcessor(spec)

    @classmethod
    def from_pretrained(cls, name: str | os.PathLike[str], *, use_fast: bool = True) -> "CLIPProcessor":
        """The processor of any name that `seesay.load` takes. There is one, whatever `use_fast` says."""
        return cls(find_input_spec(name))

    def __call__(
        self,
        text: str | Sequence[str] | None = None,
        images: Any = None,
        *,
        return_tensors: str | None = None,
        **for_tokenizer: Any,
    ) -> AttributeDict:
        """-> the outputs of the tokenizer for `text` and of the image processor for `images`"""
        if text is None and images is None:
            raise InputError("expected text, images or both, got neither")
        if isinstance(text, Image.Image):
            raise InputError("the first argument is the text, got a picture; pass it as images=")
        inputs = AttributeDict()
        if text is not None:
            inputs |= self.tokenizer(text, return_tensors=return_tensors, **for_tokenizer)
        if images is not None:
            inputs |= self.image_processor(images, return_tensors=return_tensors)
        return inputs


class AutoProcessor:
    """CLIPProcessor for a whole model; CLIPImageProcessor or CLIPTokenizerFast for one tower."""

    @classmethod
    def from_pretrained(
        cls, name: str | os.PathLike[str], *, use_fast: bool = True
    ) -> CLIPProcessor | CLIPImageProcessor | CLIPTokenizerFast:
        """The processor that fits the model of this name."""
        spec = find_input_spec(name)
        if spec.image_spec is None:
            return CLIPTokenizerFast(spec)
        return CLIPImageProcessor(spec) if spec.tokenizer_spec is None else CLIPProcessor(spec)


def _lists(rows: np.ndarray, mask: np.ndarray) -> list[list[int]]:
    return [row[present != 0].tolist() for row, present in zip(rows, mask, strict=True)]


def _as_type(values: np.ndarray, kind: str | None) -> Any:
    match kind:
        case "pt":
            return torch.from_numpy(values)
        case "np":
            return values
        case None:
            return values.tolist()
    raise InputError(f"return_tensors is 'pt', 'np' or None, got {kind!r}")
