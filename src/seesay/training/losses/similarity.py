"""Distillation of similarities: a teacher's softmaxes over the batch are the student's targets.

Forward sums both models' softmaxes, then visits all pairs once more for the loss and its gradient together: six products of all
pairs in total, and backward only multiplies.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from seesay.errors import InputError
from seesay.training.losses.arguments import scaled_pairs
from seesay.training.losses.registry import DistillationLoss, ScaledPairs
from seesay.training.losses.softmax_sums import SoftmaxSums
from seesay.training.losses.tiles import TILE, VectorGradients, sum_dtype
from seesay.training.processes import ALONE, Processes


def similarity_distillation(
    images: Tensor,
    texts: Tensor,
    scale: Tensor,
    teacher_images: Tensor,
    teacher_texts: Tensor,
    teacher_scale: Tensor,
    *,
    tile: int = TILE,
    processes: Processes = ALONE,
) -> Tensor:
    """Cross-entropy of the student's softmax over the batch with the teacher's as targets, mean of both directions.

    It is the second of the two losses that OpenCLIP's DistillClipLoss returns ("distill_loss"). It is smallest, but not 0,
    where both agree. Less the entropy of the targets it is the KL divergence, so its gradients are those of the contrastive
    relational distillation of CLIP-KD (Yang et al. 2024, arXiv 2307.12732) and TinyCLIP's affinity mimicking (Wu et al. 2023,
    arXiv 2309.12314). The teacher's vectors may have another dimension and get no gradient.
    Several processes: as in `info_nce`.
    """
    images, texts, scale = scaled_pairs("similarity_distillation", images, texts, scale, tile)
    targets = ScaledPairs(*(tensor.detach().to(images.dtype) for tensor in (teacher_images, teacher_texts, teacher_scale)))
    teacher = scaled_pairs("similarity_distillation, teacher", *targets, tile)
    if len(teacher.images) != len(images):
        raise InputError(f"similarity_distillation: {len(images)} pairs of the student, {len(teacher.images)} of the teacher.")
    with torch.autocast(images.device.type, enabled=False):
        loss: Tensor = SimilarityDistillation.apply(  # type: ignore[no-untyped-call]
            images, texts, scale, teacher, tile, torch.is_grad_enabled(), processes
        )
    return loss


class SimilarityDistillation(torch.autograd.Function):
    """`similarity_distillation` of checked arguments, with its gradient."""

    @staticmethod
    def forward(
        ctx: Any,
        images: Tensor,
        texts: Tensor,
        scale: Tensor,
        teacher: ScaledPairs,
        tile: int,
        learning: bool,
        processes: Processes,
    ) -> Tensor:
        """-> the loss, a scalar. learning: whether gradients are enabled, which an autograd function cannot see itself."""
        texts = processes.gather(texts)
        student, teacher = ScaledPairs(images, texts, scale), teacher._replace(texts=processes.gather(teacher.texts))
        needs_images, needs_texts = ctx.needs_input_grad[:2]
        learning = learning and any(ctx.needs_input_grad)
        gradients = VectorGradients(images, texts, needs_images=needs_images, needs_texts=needs_texts) if learning else None
        sums, teacher_sums = (SoftmaxSums.over(*pairs, tile, None, processes) for pairs in (student, teacher))
        target = images.new_zeros((), dtype=sum_dtype(images.device))
        tiles = zip(sums.logits(*student, tile), teacher_sums.logits(*teacher, tile), strict=True)
        for (rows, columns, logits), (_, _, targets) in tiles:
            teacher_sums.probabilities(targets, rows, columns)
            target += (targets * logits).sum(1).sum(dtype=target.dtype)
            if gradients is not None:
                sums.probabilities(logits, rows, columns)
                gradients.add(logits.sub_(targets), rows, columns)
        if gradients is not None:
            ctx.save_for_backward(*gradients.finish(scale, scale.new_tensor(1 / (2 * len(texts))), tile, processes))
        return ((sums.log_sums() - target) / (2 * len(texts))).to(images.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        """Multiplies the gradients that `forward` computed."""
        return *(None if gradient is None else upstream * gradient for gradient in ctx.saved_tensors), None, None, None, None


def _between(student: ScaledPairs, teacher: ScaledPairs, processes: Processes) -> Tensor:
    return similarity_distillation(*student, *teacher, processes=processes)


LOSS = DistillationLoss("similarity", _between, same_dim=False)
