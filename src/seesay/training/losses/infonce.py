"""The contrastive loss of CLIP (InfoNCE): one product of all pairs forward, three backward."""

import math
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from seesay.training.losses.arguments import positives, scaled_pairs
from seesay.training.losses.positives import Positives
from seesay.training.losses.registry import ContrastiveLoss
from seesay.training.losses.softmax_sums import SoftmaxSums
from seesay.training.losses.tiles import TILE, VectorGradients
from seesay.training.processes import ALONE, Processes


def info_nce(
    images: Tensor,
    texts: Tensor,
    scale: Tensor,
    *,
    image_ids: Tensor | None = None,
    text_ids: Tensor | None = None,
    tile: int = TILE,
    processes: Processes = ALONE,
) -> Tensor:
    """CLIP's contrastive loss of (N, D) and (N, D): cross-entropy of scale * cosine, image to text and text to image.

    `scale` is the factor itself, a scalar, not its logarithm. `image_ids` and `text_ids` (N,) int64 mark the same image or the
    same caption: rows of one id are each other's positives, and the targets of an image are uniform over its positives (the
    "out" form of Khosla et al. 2020, arXiv 2004.11362), so that nothing pushes two equal captions apart. Without repeated ids
    this is OpenCLIP's ClipLoss.

    With several processes the rows are this one's, and so is the share of the loss that comes back. Each computes its images
    against the texts of all: texts and their gradients travel, and of the logits only the sums of columns.
    """
    images, texts, scale = scaled_pairs("info_nce", images, texts, scale, tile)
    matches = positives(images, image_ids, text_ids, processes)
    with torch.autocast(images.device.type, enabled=False):
        loss: Tensor = InfoNce.apply(images, texts, scale, matches, tile, processes)  # type: ignore[no-untyped-call]
    return loss


class InfoNce(torch.autograd.Function):
    """`info_nce` of checked arguments, with its gradient."""

    @staticmethod
    def forward(
        ctx: Any, images: Tensor, texts: Tensor, scale: Tensor, positives: Positives, tile: int, processes: Processes
    ) -> Tensor:
        """-> the loss, a scalar."""
        texts = processes.gather(texts)
        sums = SoftmaxSums.over(images, texts, scale, tile, positives, processes)
        ctx.save_for_backward(images, texts, scale)
        ctx.sums, ctx.positives, ctx.tile, ctx.processes = sums, positives, tile, processes
        return ((sums.log_sums() - sums.target) / (2 * len(texts))).to(images.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        """Computes the logits once more, tile by tile."""
        images, texts, scale = ctx.saved_tensors
        sums: SoftmaxSums = ctx.sums
        gradients = VectorGradients(images, texts, needs_images=ctx.needs_input_grad[0], needs_texts=ctx.needs_input_grad[1])
        with torch.autocast(images.device.type, enabled=False):
            for rows, columns, tile in sums.logits(images, texts, scale, ctx.tile):
                sums.probabilities(tile, rows, columns)
                ctx.positives.subtract(tile, rows, columns)
                gradients.add(tile, rows, columns)
            finished = gradients.finish(scale, upstream / (2 * len(texts)), ctx.tile, ctx.processes)
        return *finished, None, None, None


LOSS = ContrastiveLoss("infonce", info_nce, score="softmax", first_logit_scale=math.log(1 / 0.07))  # as Radford et al. 2021
