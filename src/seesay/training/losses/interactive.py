"""Interactive contrast: the student finds its pairs among the teacher's vectors (ICL of CLIP-KD)."""

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from seesay.errors import InputError
from seesay.training.losses.arguments import check_matrices, precision, scalar, shape
from seesay.training.losses.registry import DistillationLoss, ScaledPairs
from seesay.training.losses.tiles import TILE, blocks
from seesay.training.processes import ALONE, Processes


def interactive_distillation(
    images: Tensor,
    texts: Tensor,
    scale: Tensor,
    teacher_images: Tensor,
    teacher_texts: Tensor,
    *,
    tile: int = TILE,
    processes: Processes = ALONE,
) -> Tensor:
    """Cross-entropy of each of the student's images among the teacher's texts and of its texts among the teacher's images.

    (N, D) each, of one dimension; the mean of both, as in CLIP-KD (Yang et al. 2024, arXiv 2307.12732, equation 9), with the
    student's own scale. The teacher's vectors get no gradient. `tile` rows of logits are in memory at a time, and are computed
    again for the gradient. Several processes: as in `info_nce`.
    """
    given = {"images": images, "texts": texts, "teacher_images": teacher_images, "teacher_texts": teacher_texts}
    check_matrices("interactive_distillation", **given)
    if len({tensor.shape for tensor in given.values()}) > 1 or not len(images):
        shapes = ", ".join(f"{name} {shape(tensor)}" for name, tensor in given.items())
        raise InputError(f"interactive_distillation: expected matrices of the same shape, with a row or more, got {shapes}.")
    dtype = precision(*given.values())
    with torch.autocast(images.device.type, enabled=False):
        factor = scalar("scale", scale, images.to(dtype))
        found = _among(images.to(dtype), teacher_texts.detach().to(dtype), factor, tile, processes)
        return (found + _among(texts.to(dtype), teacher_images.detach().to(dtype), factor, tile, processes)) / 2


def _among(students: Tensor, teachers: Tensor, scale: Tensor, tile: int, processes: Processes) -> Tensor:
    """This process's share of the cross-entropy of scale * students @ teachers.T, whose right answers are the diagonal."""
    teachers = processes.gather(teachers)

    def part(rows: Tensor, targets: Tensor, scale: Tensor) -> Tensor:
        return F.cross_entropy(scale * rows @ teachers.T, targets, reduction="sum")

    own = processes.rank * len(students) + torch.arange(len(students), device=students.device)
    parts: list[Tensor] = [
        checkpoint(part, students[rows], own[rows], scale, use_reentrant=False, preserve_rng_state=False)
        for rows in blocks(len(students), tile)
    ]
    return torch.stack(parts).sum() / len(teachers)


def _between(student: ScaledPairs, teacher: ScaledPairs, processes: Processes) -> Tensor:
    return interactive_distillation(*student, teacher.images, teacher.texts, processes=processes)


LOSS = DistillationLoss("interactive", _between, same_dim=True)
