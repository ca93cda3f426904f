"""The distillation part of the objective: its losses, and layers from the student's space into the teacher's."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seesay.training import losses
from seesay.training.losses.registry import ScaledPairs
from seesay.training.processes import ALONE, Processes
from seesay.training.recipe import Distillation


class DistillationObjective(nn.Module):
    """The losses between a student's and a teacher's vectors.

    Where a loss needs vectors of one dimension and the teacher has another, a linear layer after each tower leads into the
    teacher's space (Yang et al. 2024, arXiv 2307.12732); both are trained and then discarded.
    """

    def __init__(self, config: Distillation, dim: int, teacher_dim: int, teacher_scale: float) -> None:
        super().__init__()
        self.kinds = config.kinds
        leads = teacher_dim != dim and any(losses.DISTILLATION[kind].same_dim for kind in self.kinds)
        self.image_layer = nn.Linear(dim, teacher_dim) if leads else None
        self.text_layer = nn.Linear(dim, teacher_dim) if leads else None
        self.scale = teacher_scale

    def forward(
        self, student: ScaledPairs, images: Tensor, texts: Tensor, processes: Processes = ALONE
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """images, texts: the teacher's (N, D) -> the weighted sum, and the losses by name; this process's share of both."""
        teacher = ScaledPairs(images, texts, torch.tensor(self.scale, device=images.device))
        led = self._led(student)
        total = images.new_zeros(())
        terms = {}
        for kind, weight in self.kinds.items():
            loss = losses.DISTILLATION[kind]
            name = kind if len(self.kinds) > 1 else "distillation"
            terms[name] = loss.function(led if loss.same_dim else student, teacher, processes)
            total = total + weight * terms[name]
        return total, terms

    def _led(self, student: ScaledPairs) -> ScaledPairs:
        """The student's pairs in the teacher's dimension, of unit length."""
        if self.image_layer is None or self.text_layer is None:
            return student
        images, texts = self.image_layer(student.images), self.text_layer(student.texts)
        return ScaledPairs(F.normalize(images, dim=-1), F.normalize(texts, dim=-1), student.scale)
