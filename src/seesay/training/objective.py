"""The training objective: contrastive loss plus optional classification and distillation losses."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from seesay.models.clip import Clip
from seesay.training import losses
from seesay.training.losses.registry import ScaledPairs
from seesay.training.processes import ALONE, Processes
from seesay.training.recipe import Loss


@dataclass(frozen=True)
class Targets:
    """What a batch is trained towards. ids (N,) int64: equal for the same image or caption; labels (N,) int64, -1 for none;
    the teacher's vectors (N, D) float32."""

    image_ids: Tensor | None = None
    text_ids: Tensor | None = None
    labels: Tensor | None = None
    teacher_images: Tensor | None = None
    teacher_texts: Tensor | None = None


class Objective(nn.Module):
    """The loss of a batch's unit vectors, or this process's share of it. Its own parameters, the class layer, are trained and
    then discarded."""

    def __init__(self, clip: Clip, config: Loss, classes: int, teacher_scale: float, processes: Processes = ALONE) -> None:
        super().__init__()
        self.processes = processes
        self.config = config
        self.contrastive = losses.CONTRASTIVE[config.kind]
        self.classifier = nn.Linear(clip.config.dim, classes) if config.class_weight else None
        self.teacher_scale = teacher_scale

    def forward(self, clip: Clip, images: Tensor, texts: Tensor, targets: Targets) -> tuple[Tensor, dict[str, Tensor]]:
        """(N, dim) each -> the loss, and its terms by name. With the candidates "classes" the texts are theirs, (C, dim)."""
        pairs = ScaledPairs(images, texts, clip.scale)
        if self.config.candidates == "classes":
            assert targets.labels is not None
            total = losses.class_loss(clip.scale * images @ texts.T, targets.labels, self.processes)
            terms = {"prompts": total}
        else:
            total = self.contrastive(pairs, clip.logit_bias, targets.image_ids, targets.text_ids, self.processes)
            terms = {"contrast": total}
        if self.classifier is not None and targets.labels is not None:
            terms["class"] = losses.class_loss(self.classifier(images), targets.labels, self.processes)
            total = total + self.config.class_weight * terms["class"]
        if self.config.distillation is not None:
            assert targets.teacher_images is not None
            assert targets.teacher_texts is not None
            teacher_scale = torch.tensor(self.teacher_scale, device=images.device)
            teacher = ScaledPairs(targets.teacher_images, targets.teacher_texts, teacher_scale)
            terms["distillation"] = losses.DISTILLATION[self.config.distillation.kind].function(pairs, teacher, self.processes)
            total = total + self.config.distillation.weight * terms["distillation"]
        return total, terms
