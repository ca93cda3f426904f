"""Cross-entropy over class labels, for batches in which some samples have none."""

import torch
import torch.nn.functional as F
from torch import Tensor

from seesay.errors import InputError
from seesay.training.losses.arguments import check_matrices, precision, shape
from seesay.training.processes import ALONE, Processes


def class_loss(logits: Tensor, labels: Tensor, processes: Processes = ALONE) -> Tensor:
    """Cross-entropy of (N, C), mean over the rows with a label (-1: none); 0, with a gradient of 0, where none has one.

    With several processes the mean is over the rows of all, and this one's share of it comes back.
    """
    check_matrices("class_loss", logits=logits)
    if labels.shape != logits.shape[:1] or labels.dtype != torch.int64:
        raise InputError(f"class_loss: labels must be int64 of shape ({len(logits)},), not {labels.dtype} {shape(labels)}.")
    if len(labels) and not -1 <= int(labels.min()) <= int(labels.max()) < logits.shape[1]:
        raise InputError(
            f"class_loss: labels go from -1 (none) to {logits.shape[1] - 1}; these go from {labels.min()} to {labels.max()}."
        )
    with torch.autocast(logits.device.type, enabled=False):
        total = F.cross_entropy(logits.to(precision(logits)), labels, ignore_index=-1, reduction="sum")
        return total / processes.sum((labels >= 0).sum()).clamp(min=1)
