"""Hugging Face's `CLIPModel`, and `AutoModel`, which chooses the class that fits a checkpoint."""

import os
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from seesay.compat.hf.attribute_dict import AttributeDict
from seesay.compat.hf.pretrained_model import PreTrainedModel
from seesay.compat.hf.tower_models import CLIPTextModel, CLIPVisionModel
from seesay.compat.lookup import find_checkpoint
from seesay.errors import InputError


class CLIPModel(PreTrainedModel):
    """Both towers of a model, or the only one it has."""

    def get_image_features(self, pixel_values: Tensor) -> Tensor:
        """pixels (N, 3, side, side) -> (N, dim), not normalised"""
        return self.project_image(pixel_values)

    def get_text_features(
        self, input_ids: Tensor, attention_mask: Tensor | None = None, token_type_ids: Tensor | None = None
    ) -> Tensor:
        """ids (N, L) -> (N, dim), not normalised"""
        if token_type_ids is not None and bool(token_type_ids.any()):
            raise InputError(
                "token_type_ids other than 0 mean pairs of texts, which these models were not trained with",
                parameter="token_type_ids",
                expected="0",
            )
        return self.project_text(input_ids if attention_mask is None else self.without_padding(input_ids, attention_mask))

    def forward(
        self,
        input_ids: Tensor,
        pixel_values: Tensor,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        return_loss: bool = False,
    ) -> AttributeDict:
        """-> logits_per_image (N, M), logits_per_text, unit vectors text_embeds and image_embeds; loss, or None"""
        images = F.normalize(self.get_image_features(pixel_values), dim=-1)
        texts = F.normalize(self.get_text_features(input_ids, attention_mask, token_type_ids), dim=-1)
        logits = self.logits(images, texts)
        loss = None
        if return_loss:
            if len(images) != len(texts):
                raise InputError(
                    f"the loss takes pairs, got {len(images)} pictures and {len(texts)} texts",
                    parameter="return_loss",
                    expected="as many pictures as texts",
                )
            pairs = torch.arange(len(images), device=logits.device)
            loss = (F.cross_entropy(logits, pairs) + F.cross_entropy(logits.T, pairs)) / 2
        return AttributeDict(
            loss=loss, logits_per_image=logits, logits_per_text=logits.T, text_embeds=texts, image_embeds=images
        )


class AutoModel:
    """CLIPModel for a whole model; CLIPTextModel or CLIPVisionModel for a checkpoint of one tower, as in transformers."""

    @classmethod
    def from_pretrained(cls, name: str | os.PathLike[str], **options: Any) -> PreTrainedModel:
        """The model of any name that `seesay.load` takes; `options` as in `CLIPModel.from_pretrained`."""
        checkpoint = find_checkpoint(name)
        description = checkpoint.description
        kind = CLIPTextModel if description.image is None else CLIPVisionModel if description.text is None else CLIPModel
        return kind.from_pretrained(checkpoint, **options)
