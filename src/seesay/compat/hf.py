"""Hugging Face's CLIP classes: CLIPModel, its towers, CLIPProcessor, CLIPTokenizerFast, their Chinese-CLIP and Auto names.

    from seesay.compat.hf import CLIPModel, CLIPProcessor

    model = CLIPModel.from_pretrained("openai/clip-vit-base-patch32")   # also a folder, "bundled", any name in the catalogue
    processor = CLIPProcessor.from_pretrained("openai/clip-vit-base-patch32")

get_text_features and get_image_features return tensors, as in transformers 4. A name in the catalogue stands for the weights as
their authors published them, with the preprocessing and the tokenizer that those were trained with; transformers' own cut
pictures up to a pixel elsewhere and leave broken Unicode as it is.
"""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from seesay.checkpoints.formats.writer import hugging_face_config
from seesay.compat.absent import absent
from seesay.compat.inputs import NOTHING, Preprocess, listed
from seesay.compat.one_tower import CLIPTextModel, CLIPTextModelWithProjection, CLIPVisionModel, CLIPVisionModelWithProjection
from seesay.compat.pretrained import Pretrained, pad_id
from seesay.compat.sources import Source, described, opened
from seesay.compat.values import Values
from seesay.errors import InputError

__all__ = [
    "AutoConfig",
    "AutoImageProcessor",
    "AutoModel",
    "AutoProcessor",
    "AutoTokenizer",
    "CLIPConfig",
    "CLIPImageProcessor",
    "CLIPModel",
    "CLIPProcessor",
    "CLIPTextModel",
    "CLIPTextModelWithProjection",
    "CLIPTokenizer",
    "CLIPTokenizerFast",
    "CLIPVisionModel",
    "CLIPVisionModelWithProjection",
    "ChineseCLIPConfig",
    "ChineseCLIPImageProcessor",
    "ChineseCLIPModel",
    "ChineseCLIPProcessor",
    "ChineseCLIPVisionModel",
]
__getattr__ = absent(__name__, "transformers", __all__)


class CLIPModel(Pretrained):
    """Both towers of a model, or the one that it has."""

    def get_image_features(self, pixel_values: Tensor) -> Tensor:
        """pixels (N, 3, side, side) -> (N, dim), not normalised"""
        return self.pictures(pixel_values)

    def get_text_features(
        self, input_ids: Tensor, attention_mask: Tensor | None = None, token_type_ids: Tensor | None = None
    ) -> Tensor:
        """ids (N, L) -> (N, dim), not normalised"""
        if token_type_ids is not None and bool(token_type_ids.any()):
            raise InputError("token_type_ids other than 0 mean pairs of texts, which these models were not trained with")
        return self.texts(input_ids if attention_mask is None else self.without_padding(input_ids, attention_mask))

    def forward(
        self,
        input_ids: Tensor,
        pixel_values: Tensor,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        return_loss: bool = False,
    ) -> Values:
        """-> logits_per_image (N, M), logits_per_text, unit vectors text_embeds and image_embeds; loss, or None"""
        images = F.normalize(self.get_image_features(pixel_values), dim=-1)
        texts = F.normalize(self.get_text_features(input_ids, attention_mask, token_type_ids), dim=-1)
        logits = self.logits(images, texts)
        loss = None
        if return_loss:
            if len(images) != len(texts):
                raise InputError(f"the loss takes pairs, got {len(images)} pictures and {len(texts)} texts")
            pairs = torch.arange(len(images), device=logits.device)
            loss = (F.cross_entropy(logits, pairs) + F.cross_entropy(logits.T, pairs)) / 2
        return Values(loss=loss, logits_per_image=logits, logits_per_text=logits.T, text_embeds=texts, image_embeds=images)


class CLIPTokenizerFast:
    def __init__(self, source: Source) -> None:
        self.words = source.words
        self.pad_token_id = pad_id(self.words, source.text)
        self.model_max_length = self.words.spec.context_length

    @classmethod
    def from_pretrained(cls, name: str | os.PathLike[str], *, use_fast: bool = True) -> "CLIPTokenizerFast":
        """Downloads no weights where the catalogue knows the vocabulary. There is one tokenizer, whatever `use_fast` says."""
        return cls(described(name))

    def __call__(
        self,
        text: str | Sequence[str],
        *,
        padding: bool | str = False,
        truncation: bool = False,
        max_length: int | None = None,
        return_tensors: str | None = None,
    ) -> Values:
        """-> input_ids and attention_mask, (N, L).

        padding: True or "longest", "max_length", or False. A text longer than `max_length`, or than the model's context, is an
        error unless truncation cuts its end. return_tensors: "pt", "np", or None for lists.
        """
        texts, most = listed(text), min(max_length or self.model_max_length, self.model_max_length)
        tokens = self.words(texts, most)
        if tokens.truncated.any() and not truncation:
            cut = texts[int(tokens.truncated.argmax())]
            raise InputError(f"{cut!r:.60} is longer than {most} tokens; pass truncation=True to cut its end")
        rows = tokens.ids
        if padding == "max_length":
            rows = np.pad(rows, ((0, 0), (0, most - rows.shape[1])), constant_values=NOTHING)
        elif padding not in (True, False, "longest", "do_not_pad"):
            raise InputError(f"padding is True, 'longest', 'max_length' or False, got {padding!r}")
        mask = (rows != NOTHING).astype(np.int64)
        ids = np.where(rows == NOTHING, self.pad_token_id, rows)
        if padding in (False, "do_not_pad"):
            if return_tensors is not None and not mask.all():
                raise InputError("texts of different lengths make no tensor; pass padding=True")
            lists = {"input_ids": _lists(ids, mask), "attention_mask": _lists(mask, mask)}
            if return_tensors is None:
                return Values({name: many[0] if isinstance(text, str) else many for name, many in lists.items()})
        return Values(input_ids=_as(ids, return_tensors), attention_mask=_as(mask, return_tensors))


class CLIPImageProcessor:
    def __init__(self, source: Source) -> None:
        self.preprocess_one = Preprocess(source.pictures)

    @classmethod
    def from_pretrained(cls, name: str | os.PathLike[str], *, use_fast: bool = True) -> "CLIPImageProcessor":
        return cls(described(name))

    def __call__(self, images: Any, *, return_tensors: str | None = None) -> Values:
        """One picture (PIL, or anything that SeeSay reads) or a list of them -> pixel_values (N, 3, side, side)"""
        many = list(images) if isinstance(images, list | tuple) else [images]
        if not many:
            raise InputError("expected at least one picture, got none")
        pixels = np.stack([self.preprocess_one(image).numpy() for image in many])
        return Values(pixel_values=list(pixels) if return_tensors is None else _as(pixels, return_tensors))


class CLIPProcessor:
    def __init__(self, source: Source) -> None:
        self.tokenizer = CLIPTokenizerFast(source)
        self.image_processor = CLIPImageProcessor(source)

    @classmethod
    def from_pretrained(cls, name: str | os.PathLike[str], *, use_fast: bool = True) -> "CLIPProcessor":
        return cls(described(name))

    def __call__(
        self,
        text: str | Sequence[str] | None = None,
        images: Any = None,
        *,
        return_tensors: str | None = None,
        **for_tokenizer: Any,
    ) -> Values:
        """-> what the tokenizer and the image processor each make of their part"""
        if text is None and images is None:
            raise InputError("expected text, images or both, got neither")
        if isinstance(text, Image.Image):
            raise InputError("the first argument is the text, got a picture; pass it as images=")
        made = Values()
        if text is not None:
            made |= self.tokenizer(text, return_tensors=return_tensors, **for_tokenizer)
        if images is not None:
            made |= self.image_processor(images, return_tensors=return_tensors)
        return made


class AutoModel:
    """Of a whole model CLIPModel; of a folder with one tower CLIPTextModel or CLIPVisionModel, as transformers has it."""

    @classmethod
    def from_pretrained(cls, name: str | os.PathLike[str], **options: Any) -> Pretrained:
        checkpoint = opened(name)
        found = checkpoint.description
        kind = CLIPTextModel if found.image is None else CLIPVisionModel if found.text is None else CLIPModel
        return kind.from_pretrained(checkpoint, **options)


class AutoProcessor:
    """Of a whole model CLIPProcessor; of one tower its CLIPImageProcessor or CLIPTokenizerFast."""

    @classmethod
    def from_pretrained(
        cls, name: str | os.PathLike[str], *, use_fast: bool = True
    ) -> CLIPProcessor | CLIPImageProcessor | CLIPTokenizerFast:
        source = described(name)
        if source.image_spec is None:
            return CLIPTokenizerFast(source)
        return CLIPImageProcessor(source) if source.tokenizer_spec is None else CLIPProcessor(source)


class CLIPConfig(Values):
    """What transformers' config.json says of a model, by name and as attributes: config.text_config.hidden_size.

    Raises CheckpointError for a model that transformers cannot have.
    """

    @classmethod
    def from_pretrained(cls, name: str | os.PathLike[str]) -> "CLIPConfig":
        return cls(_nested(hugging_face_config(opened(name).config())))


def _nested(values: dict[str, Any]) -> Values:
    return Values({key: _nested(value) if isinstance(value, dict) else value for key, value in values.items()})


AutoConfig = ChineseCLIPConfig = CLIPConfig
ChineseCLIPModel, ChineseCLIPVisionModel = CLIPModel, CLIPVisionModel
ChineseCLIPProcessor = CLIPProcessor
AutoTokenizer = CLIPTokenizer = CLIPTokenizerFast
AutoImageProcessor = ChineseCLIPImageProcessor = CLIPImageProcessor


def _lists(rows: np.ndarray, mask: np.ndarray) -> list[list[int]]:
    return [row[kept != 0].tolist() for row, kept in zip(rows, mask, strict=True)]


def _as(values: np.ndarray, kind: str | None) -> Any:
    match kind:
        case "pt":
            return torch.from_numpy(values)
        case "np":
            return values
        case None:
            return values.tolist()
    raise InputError(f"return_tensors is 'pt', 'np' or None, got {kind!r}")
