"""The training objective: contrastive loss plus optional classification and distillation losses."""

from dataclasses import dataclass

from torch import Tensor, nn

from seesay.models.clip import Clip
from seesay.training import losses
from seesay.training.data.teacher import Teacher
from seesay.training.distillation import DistillationObjective
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
    """The loss of a batch's unit vectors, or this process's share of it. Its own parameters, of the class layer and of layers
    into a teacher's space, are trained and then discarded."""

    def __init__(self, clip: Clip, config: Loss, classes: int, teacher: Teacher | None, processes: Processes = ALONE) -> None:
        super().__init__()
        self.processes = processes
        dim = clip.config.dim
        self.config = config
        self.contrastive = losses.CONTRASTIVE[config.kind]
        self.classifier = nn.Linear(dim, classes) if config.class_weight else None
        self.distillation = (
            DistillationObjective(config.distillation, dim, teacher.dim, teacher.scale)
            if config.distillation is not None and teacher is not None
            else None
        )

    def forward(self, clip: Clip, images: Tensor, texts: Tensor, targets: Targets) -> tuple[Tensor, dict[str, Tensor]]:
        """(N, dim) each -> the loss, and its terms by name. With the candidates "classes" the texts are theirs, (C, dim)."""
        pairs = ScaledPairs(images, texts, clip.scale)
        total, terms = self._contrast(clip, pairs, targets) if self.config.contrast_weight else (images.new_zeros(()), {})
        if self.classifier is not None and targets.labels is not None:
            terms["class"] = losses.class_loss(self.classifier(images), targets.labels, self.processes)
            total = total + self.config.class_weight * terms["class"]
        if self.distillation is not None:
            assert targets.teacher_images is not None
            assert targets.teacher_texts is not None
            distance, distances = self.distillation(pairs, targets.teacher_images, targets.teacher_texts, self.processes)
            total, terms = total + distance, terms | distances
        return total, terms

    def _contrast(self, clip: Clip, pairs: ScaledPairs, targets: Targets) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss over candidates, times its weight, and itself by name."""
        if self.config.candidates == "classes":
            assert targets.labels is not None
            name, loss = (
                "prompts",
                losses.class_loss(pairs.scale * pairs.images @ pairs.texts.T, targets.labels, self.processes),
            )
        else:
            name, loss = (
                "contrast",
                self.contrastive(pairs, clip.logit_bias, targets.image_ids, targets.text_ids, self.processes),
            )
        return self.config.contrast_weight * loss, {name: loss}
