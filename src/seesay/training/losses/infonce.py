"""The contrastive loss of CLIP, its gradient included: one product of all pairs forward, three backward."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from seesay.training.losses.positives import Positives
from seesay.training.losses.softmaxes import Softmaxes
from seesay.training.losses.tiles import Gradients


class InfoNce(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, images: Tensor, texts: Tensor, scale: Tensor, positives: Positives, tile: int) -> Tensor:
        softmaxes = Softmaxes.over(images, texts, scale, tile, positives)
        ctx.save_for_backward(images, texts, scale)
        ctx.softmaxes, ctx.positives, ctx.tile = softmaxes, positives, tile
        return ((softmaxes.log_sums() - softmaxes.target) / (2 * len(images))).to(images.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        images, texts, scale = ctx.saved_tensors
        softmaxes: Softmaxes = ctx.softmaxes
        gradients = Gradients(images, texts, of_images=ctx.needs_input_grad[0], of_texts=ctx.needs_input_grad[1])
        with torch.autocast(images.device.type, enabled=False):
            for rows, columns, tile in softmaxes.logits(images, texts, scale, ctx.tile):
                softmaxes.probabilities(tile, rows, columns)
                ctx.positives.subtract(tile, rows, columns)
                gradients.add(tile, rows, columns)
            return *gradients.finish(scale, upstream / (2 * len(images)), ctx.tile), None, None
