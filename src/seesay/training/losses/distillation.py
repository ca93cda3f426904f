"""A teacher's softmaxes over the batch as the student's targets.

Forward finds the sums of both models' softmaxes, then goes over all pairs once more for the loss and its gradient together: six
products of all pairs altogether, and backward only multiplies.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from seesay.training.losses.softmaxes import Softmaxes
from seesay.training.losses.tiles import Gradients, wide

Vectors = tuple[Tensor, Tensor, Tensor]  # images, texts, scale


class SimilarityDistillation(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, images: Tensor, texts: Tensor, scale: Tensor, teacher: Vectors, tile: int, learning: bool) -> Tensor:
        student = (images, texts, scale)
        of_images, of_texts = ctx.needs_input_grad[:2]
        learning = learning and any(ctx.needs_input_grad)
        gradients = Gradients(images, texts, of_images=of_images, of_texts=of_texts) if learning else None
        softmaxes, targets = (Softmaxes.over(*vectors, tile, None) for vectors in (student, teacher))
        target = images.new_zeros((), dtype=wide(images.device))
        tiles = zip(softmaxes.logits(*student, tile), targets.logits(*teacher, tile), strict=True)
        for (rows, columns, logits), (_, _, wanted) in tiles:
            targets.probabilities(wanted, rows, columns)
            target += (wanted * logits).sum(1).sum(dtype=target.dtype)
            if gradients is not None:
                softmaxes.probabilities(logits, rows, columns)
                gradients.add(logits.sub_(wanted), rows, columns)
        if gradients is not None:
            ctx.save_for_backward(*gradients.finish(scale, scale.new_tensor(1 / (2 * len(images))), tile))
        return ((softmaxes.log_sums() - target) / (2 * len(images))).to(images.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        return *(None if gradient is None else upstream * gradient for gradient in ctx.saved_tensors), None, None, None
