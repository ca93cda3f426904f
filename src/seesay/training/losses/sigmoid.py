"""The pairwise sigmoid loss of SigLIP.

Its gradient needs no sum over a row, so forward makes it from the same tile as the loss: three products of all pairs
altogether, and backward only multiplies.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from seesay.training.losses.positives import Positives
from seesay.training.losses.tiles import Gradients, Logits, wide

LINEAR = 40  # from here on softplus(x) is x to the last bit of a float64


class Sigmoid(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, images: Tensor, texts: Tensor, scale: Tensor, bias: Tensor, positives: Positives, tile: int, learning: bool
    ) -> Tensor:
        of_images, of_texts = ctx.needs_input_grad[:2]
        learning = learning and any(ctx.needs_input_grad)
        gradients = Gradients(images, texts, of_images=of_images, of_texts=of_texts) if learning else None
        total, of_bias = images.new_zeros(2, dtype=wide(images.device))
        for rows, columns, logits in Logits(images, texts, scale, tile, bias.reshape(1)):
            positives.negate(logits, rows, columns)
            total += F.softplus(logits, threshold=LINEAR).sum(1).sum(dtype=total.dtype)
            if gradients is not None:
                logits.sigmoid_()
                positives.negate(logits, rows, columns)
                of_bias += logits.sum(1).sum(dtype=of_bias.dtype)
                gradients.add(logits, rows, columns)
        if gradients is not None:
            share = scale.new_tensor(1 / len(images))
            ctx.save_for_backward(*gradients.finish(scale, share, tile), (of_bias * share).to(bias.dtype))
        loss: Tensor = (total / len(images)).to(images.dtype)
        return loss

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        return *(None if gradient is None else upstream * gradient for gradient in ctx.saved_tensors), None, None, None
