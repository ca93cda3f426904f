"""What a recipe makes small: contrast, and beside it classes and a teacher."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from seesay.errors import InputError
from seesay.images.read import ImageInput
from seesay.model import Model, load
from seesay.models.clip import Clip
from seesay.training import losses
from seesay.training.data.samples import Sample, Source
from seesay.training.recipe import Data, Distillation, Loss, Recipe

CACHED = 1_000_000  # vectors of a teacher that are kept


@dataclass(frozen=True)
class Truth:
    """What is known about a batch beside its pictures and texts. ids (N,) int64: equal for what is the same; labels (N,) int64,
    -1 for none; teacher's vectors (N, D) float32."""

    image_ids: Tensor | None = None
    text_ids: Tensor | None = None
    labels: Tensor | None = None
    teacher_images: Tensor | None = None
    teacher_texts: Tensor | None = None


class Objective(nn.Module):
    """The loss of a batch's unit vectors. Its own parameters (the class layer) learn too, and are dropped at the end."""

    def __init__(self, clip: Clip, said: Loss, classes: int, teacher_scale: float) -> None:
        super().__init__()
        self.said = said
        self.classifier = nn.Linear(clip.config.dim, classes) if said.class_weight else None
        self.teacher_scale = teacher_scale

    def forward(self, clip: Clip, images: Tensor, texts: Tensor, truth: Truth) -> tuple[Tensor, dict[str, Tensor]]:
        """(N, dim) each -> the loss, and its parts by name."""
        scale = clip.scale
        same_images, same_texts = truth.image_ids, truth.text_ids
        if clip.logit_bias is not None:
            bias = clip.logit_bias
            contrast = losses.sigmoid_loss(images, texts, scale, bias, image_ids=same_images, text_ids=same_texts)
        else:
            contrast = losses.info_nce(images, texts, scale, image_ids=same_images, text_ids=same_texts)
        parts = {"contrast": contrast}
        total = contrast
        if self.classifier is not None and truth.labels is not None:
            parts["class"] = losses.class_loss(self.classifier(images), truth.labels)
            total = total + self.said.class_weight * parts["class"]
        if self.said.distillation is not None:
            assert truth.teacher_images is not None
            assert truth.teacher_texts is not None
            parts["distillation"] = self._distilled(images, texts, scale, truth.teacher_images, truth.teacher_texts)
            total = total + self.said.distillation.weight * parts["distillation"]
        return total, parts

    def _distilled(self, images: Tensor, texts: Tensor, scale: Tensor, teacher_images: Tensor, teacher_texts: Tensor) -> Tensor:
        assert self.said.distillation is not None
        if self.said.distillation.kind == "similarity":
            theirs = torch.tensor(self.teacher_scale, device=images.device)
            return losses.similarity_distillation(images, texts, scale, teacher_images, teacher_texts, theirs)
        pictures = losses.embedding_distillation(images, teacher_images)
        return (pictures + losses.embedding_distillation(texts, teacher_texts)) / 2


class Teacher:
    """Another model's vectors of the samples, each encoded alone, so that a resumed run gets the same bits."""

    def __init__(self, said: Distillation, recipe: Recipe, dim: int) -> None:
        self.model: Model = load(recipe.model_named(said.teacher), decode="fast", threads=1)
        if said.kind == "embedding" and self.model.dim != dim:
            raise InputError(
                f"loss.distillation: the teacher {said.teacher} has {self.model.dim} dimensions, the model {dim}; "
                'take kind = "similarity" or the same number'
            )
        self._images: dict[str, np.ndarray] = {}
        self._texts: dict[str, np.ndarray] = {}

    def image(self, source: ImageInput, key: str) -> np.ndarray:
        """(D,). Raises UnreadableImage."""
        if key not in self._images:
            if len(self._images) >= CACHED:
                self._images.clear()
            self._images[key] = self.model.encode_image(source)[0]
        return self._images[key]

    def text(self, text: str) -> np.ndarray:
        if text not in self._texts:
            if len(self._texts) >= CACHED:
                self._texts.clear()
            self._texts[text] = self.model.encode_text(text)[0]
        return self._texts[text]


def number_classes(source: Source, data: Data) -> dict[str, int]:
    """The labels in the data, numbered in their order. Raises InputError where there are none, or not known beforehand."""
    if not data.listed:
        raise InputError("loss.class_weight: the labels in shards are not known beforehand; list the pictures in a manifest")
    found = {sample.label for sample in source.once() if isinstance(sample, Sample) and sample.label is not None}
    if len(found) < 2:
        raise InputError(f"loss.class_weight: expected labels of at least two classes in the data, got {len(found)}")
    return {name: number for number, name in enumerate(sorted(found))}
