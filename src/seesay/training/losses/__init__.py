"""What training makes small: functions over a batch's vectors, each a scalar with gradients.

Image i and text i of a batch are a pair. Vectors have unit length: no check is made, since it would cost a pass. The losses
between all images and all texts never hold all logits (`tiles`); they compute in float32, under autocast too, and in float64
where that is what they are given. Gradients of gradients are not offered.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from seesay.errors import InputError
from seesay.training.losses.distillation import SimilarityDistillation
from seesay.training.losses.infonce import InfoNce
from seesay.training.losses.positives import Positives
from seesay.training.losses.sigmoid import Sigmoid
from seesay.training.losses.tiles import TILE


def info_nce(
    images: Tensor,
    texts: Tensor,
    scale: Tensor,
    *,
    image_ids: Tensor | None = None,
    text_ids: Tensor | None = None,
    tile: int = TILE,
) -> Tensor:
    """CLIP's contrastive loss of (N, D) and (N, D): cross-entropy of scale * cosine, each image among the texts and back.

    `scale` is the factor itself, a scalar, not its logarithm. `image_ids` and `text_ids` (N,) say what is known to be the same
    picture or the same caption. Rows of one id are each other's positives, and the targets of an image are uniform over its
    positives (the "out" form of Khosla et al. 2020, arXiv 2004.11362), so that nothing pushes two equal captions apart. Without
    repeated ids this is OpenCLIP's ClipLoss.
    """
    images, texts, scale = _vectors("info_nce", images, texts, scale, tile)
    positives = _positives(images, image_ids, text_ids)
    with torch.autocast(images.device.type, enabled=False):
        loss: Tensor = InfoNce.apply(images, texts, scale, positives, tile)  # type: ignore[no-untyped-call]
    return loss


def sigmoid_loss(
    images: Tensor,
    texts: Tensor,
    scale: Tensor,
    bias: Tensor,
    *,
    image_ids: Tensor | None = None,
    text_ids: Tensor | None = None,
    tile: int = TILE,
) -> Tensor:
    """SigLIP's loss (Zhai et al. 2023, arXiv 2303.15343): every pair for itself, summed over all pairs, divided by N.

    Ids as for `info_nce`: pairs of equal ids count as positives. Without repeated ids this is OpenCLIP's SigLipLoss.
    """
    images, texts, scale = _vectors("sigmoid_loss", images, texts, scale, tile)
    positives = _positives(images, image_ids, text_ids)
    bias = _scalar("bias", bias, images)
    with torch.autocast(images.device.type, enabled=False):
        loss: Tensor = Sigmoid.apply(images, texts, scale, bias, positives, tile, torch.is_grad_enabled())  # type: ignore[no-untyped-call]
    return loss


def similarity_distillation(
    images: Tensor,
    texts: Tensor,
    scale: Tensor,
    teacher_images: Tensor,
    teacher_texts: Tensor,
    teacher_scale: Tensor,
    *,
    tile: int = TILE,
) -> Tensor:
    """Cross-entropy of the student's softmax over the batch with the teacher's as targets, mean of both directions.

    This is the second of the two that OpenCLIP's DistillClipLoss returns ("distill_loss"). It is smallest, but not 0, where
    both agree. The teacher's vectors may have another dimension and get no gradient.
    """
    images, texts, scale = _vectors("similarity_distillation", images, texts, scale, tile)
    wanted = [given.detach().to(images.dtype) for given in (teacher_images, teacher_texts, teacher_scale)]
    teacher = _vectors("similarity_distillation, teacher", wanted[0], wanted[1], wanted[2], tile)
    if len(teacher[0]) != len(images):
        raise InputError(f"similarity_distillation: {len(images)} pairs of the student, {len(teacher[0])} of the teacher.")
    with torch.autocast(images.device.type, enabled=False):
        loss: Tensor = SimilarityDistillation.apply(images, texts, scale, teacher, tile, torch.is_grad_enabled())  # type: ignore[no-untyped-call]
    return loss


def embedding_distillation(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean of 1 - cosine between rows of (N, D) and (N, D), of any length. The teacher's get no gradient."""
    _matrices("embedding_distillation", student=student, teacher=teacher)
    if student.shape != teacher.shape:
        raise InputError(
            f"embedding_distillation: student {_shape(student)} and teacher {_shape(teacher)} must have the same shape. "
            "For a teacher of another dimension use similarity_distillation."
        )
    dtype = _dtype(student, teacher)
    with torch.autocast(student.device.type, enabled=False):
        return (1 - F.cosine_similarity(student.to(dtype), teacher.detach().to(dtype), dim=1)).mean()


def class_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy of (N, C), mean of the rows that have a label (-1 is none); 0, with a gradient of 0, where none has."""
    _matrices("class_loss", logits=logits)
    if labels.shape != logits.shape[:1] or labels.dtype != torch.int64:
        raise InputError(f"class_loss: labels must be int64 of shape ({len(logits)},), not {labels.dtype} {_shape(labels)}.")
    if len(labels) and not -1 <= int(labels.min()) <= int(labels.max()) < logits.shape[1]:
        raise InputError(
            f"class_loss: labels go from -1 (none) to {logits.shape[1] - 1}; these go from {labels.min()} to {labels.max()}."
        )
    with torch.autocast(logits.device.type, enabled=False):
        total = F.cross_entropy(logits.to(_dtype(logits)), labels, ignore_index=-1, reduction="sum")
        return total / (labels >= 0).sum().clamp(min=1)


def _vectors(where: str, images: Tensor, texts: Tensor, scale: Tensor, tile: int) -> tuple[Tensor, Tensor, Tensor]:
    _matrices(where, images=images, texts=texts)
    if images.shape != texts.shape or not len(images):
        raise InputError(
            f"{where}: images {_shape(images)} and texts {_shape(texts)} must have the same shape, with a row or more."
        )
    if tile < 1:
        raise InputError(f"{where}: tile must be 1 or more, not {tile}.")
    dtype = _dtype(images, texts)
    return images.to(dtype), texts.to(dtype), _scalar("scale", scale, images.to(dtype))


def _matrices(where: str, **given: Tensor) -> None:
    for name, tensor in given.items():
        if tensor.ndim != 2 or not tensor.is_floating_point():
            raise InputError(f"{where}: {name} must be a matrix of floats, not {tensor.dtype} {_shape(tensor)}.")


def _scalar(name: str, value: Tensor, like: Tensor) -> Tensor:
    if value.numel() != 1:
        raise InputError(f"{name} must be one number, not {_shape(value)}.")
    return value.reshape(()).to(like)


def _positives(images: Tensor, image_ids: Tensor | None, text_ids: Tensor | None) -> Positives:
    for name, ids in (("image_ids", image_ids), ("text_ids", text_ids)):
        if ids is not None and (ids.shape != images.shape[:1] or ids.dtype != torch.int64):
            raise InputError(f"{name} must be int64 of shape ({len(images)},), not {ids.dtype} {_shape(ids)}.")
    return Positives(len(images), image_ids, text_ids)


def _dtype(*tensors: Tensor) -> torch.dtype:
    return torch.float64 if any(tensor.dtype == torch.float64 for tensor in tensors) else torch.float32


def _shape(tensor: Tensor) -> Sequence[int]:
    return tuple(tensor.shape)
