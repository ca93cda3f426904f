"""The pairwise sigmoid loss of SigLIP.

Its gradient needs no sum over a row, so forward computes it from the same tile as the loss: three products of all pairs in
total, and backward only multiplies.
"""

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from seesay.training.losses.arguments import positives, scalar, scaled_pairs
from seesay.training.losses.positives import Positives
from seesay.training.losses.registry import ContrastiveLoss
from seesay.training.losses.tiles import TILE, LogitTiles, VectorGradients, sum_dtype
from seesay.training.processes import ALONE, Processes

LINEAR = 40  # from here on softplus(x) is x to the last bit of a float64


def sigmoid_loss(
    images: Tensor,
    texts: Tensor,
    scale: Tensor,
    bias: Tensor,
    *,
    image_ids: Tensor | None = None,
    text_ids: Tensor | None = None,
    tile: int = TILE,
    processes: Processes = ALONE,
) -> Tensor:
    """SigLIP's loss (Zhai et al. 2023, arXiv 2303.15343): a binary loss of every pair, summed over all pairs, divided by N.

    Ids as for `info_nce`: pairs of equal ids count as positives. Without repeated ids this is OpenCLIP's SigLipLoss.

    With several processes the texts go round from neighbour to neighbour, and their gradients with them (its section 3.2): no
    process ever holds the texts of all. Each returns its share of the loss.
    """
    images, texts, scale = scaled_pairs("sigmoid_loss", images, texts, scale, tile)
    matches = positives(images, image_ids, text_ids, processes)
    bias = scalar("bias", bias, images)
    with torch.autocast(images.device.type, enabled=False):
        loss: Tensor = Sigmoid.apply(  # type: ignore[no-untyped-call]
            images, texts, scale, bias, matches, tile, torch.is_grad_enabled(), processes
        )
    return loss


class Sigmoid(torch.autograd.Function):
    """`sigmoid_loss` of checked arguments, with its gradient."""

    @staticmethod
    def forward(
        ctx: Any,
        images: Tensor,
        texts: Tensor,
        scale: Tensor,
        bias: Tensor,
        positives: Positives,
        tile: int,
        learning: bool,
        processes: Processes,
    ) -> Tensor:
        """-> the loss, a scalar. learning: whether gradients are enabled, which an autograd function cannot see itself."""
        needs_images, needs_texts = ctx.needs_input_grad[:2]
        learning = learning and any(ctx.needs_input_grad)
        gradients = VectorGradients(images, texts, needs_images=needs_images, needs_texts=needs_texts) if learning else None
        total, bias_gradient = images.new_zeros(2, dtype=sum_dtype(images.device))
        for visit in range(processes.count):
            first = (processes.rank - visit) % processes.count * len(texts)
            for rows, columns, logits in LogitTiles(images, texts, scale, tile, bias.reshape(1)):
                among_all = slice(columns.start + first, columns.stop + first)
                positives.negate(logits, rows, among_all)
                total += F.softplus(logits, threshold=LINEAR).sum(1).sum(dtype=total.dtype)
                if gradients is not None:
                    logits.sigmoid_()
                    positives.negate(logits, rows, among_all)
                    bias_gradient += logits.sum(1).sum(dtype=bias_gradient.dtype)
                    gradients.add(logits, rows, columns)
            (texts,) = processes.pass_on(texts) if gradients is None else gradients.pass_texts_on(processes)
        count = processes.count * len(images)
        if gradients is not None:
            share = scale.new_tensor(1 / count)
            ctx.save_for_backward(*gradients.finish(scale, share, tile), (bias_gradient * share).to(bias.dtype))
        loss: Tensor = (total / count).to(images.dtype)
        return loss

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        """Multiplies the gradients that `forward` computed."""
        return *(None if gradient is None else upstream * gradient for gradient in ctx.saved_tensors), None, None, None, None


# As Zhai et al. 2023: with this bias nearly all pairs start as negatives, which nearly all are.
LOSS = ContrastiveLoss("sigmoid", sigmoid_loss, score="sigmoid", first_logit_scale=math.log(10), first_bias=-10.0)
