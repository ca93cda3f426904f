"""Distillation of embeddings: the student's vectors approach the teacher's own."""

import torch
import torch.nn.functional as F
from torch import Tensor

from seesay.errors import InputError
from seesay.training.losses.arguments import check_matrices, precision, shape
from seesay.training.losses.registry import DistillationLoss, ScaledPairs
from seesay.training.processes import Processes


def embedding_distillation(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean of 1 - cosine between rows of (N, D) and (N, D), of any length. The teacher's get no gradient.

    It is D / 2 times the mean squared error between unit vectors: CLIP-KD's feature distillation (Yang et al. 2024, arXiv
    2307.12732) up to its weight.
    """
    check_matrices("embedding_distillation", student=student, teacher=teacher)
    if student.shape != teacher.shape:
        raise InputError(
            f"embedding_distillation: student {shape(student)} and teacher {shape(teacher)} must have the same shape. "
            "For a teacher of another dimension use similarity_distillation."
        )
    dtype = precision(student, teacher)
    with torch.autocast(student.device.type, enabled=False):
        return (1 - F.cosine_similarity(student.to(dtype), teacher.detach().to(dtype), dim=1)).mean()


def _between(student: ScaledPairs, teacher: ScaledPairs, processes: Processes) -> Tensor:
    images = embedding_distillation(student.images, teacher.images)
    return (images + embedding_distillation(student.texts, teacher.texts)) / (2 * processes.count)


LOSS = DistillationLoss("embedding", _between, same_dim=True)
