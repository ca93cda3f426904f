"""Checks of the tensors that a loss is called with. All raise InputError."""

from collections.abc import Sequence

import torch
from torch import Tensor

from seesay.errors import InputError
from seesay.training.losses.positives import Positives
from seesay.training.losses.registry import ScaledPairs
from seesay.training.processes import ALONE, Processes


def scaled_pairs(loss: str, images: Tensor, texts: Tensor, scale: Tensor, tile: int) -> ScaledPairs:
    """The arguments in the precision of the computation. `loss` is the function's name, for messages."""
    check_matrices(loss, images=images, texts=texts)
    if images.shape != texts.shape or not len(images):
        raise InputError(
            f"{loss}: images {shape(images)} and texts {shape(texts)} must have the same shape, with a row or more."
        )
    if tile < 1:
        raise InputError(f"{loss}: tile must be 1 or more, not {tile}.")
    dtype = precision(images, texts)
    return ScaledPairs(images.to(dtype), texts.to(dtype), scalar("scale", scale, images.to(dtype)))


def check_matrices(loss: str, **matrices: Tensor) -> None:
    """Each must be two-dimensional and of floats."""
    for name, tensor in matrices.items():
        if tensor.ndim != 2 or not tensor.is_floating_point():
            raise InputError(f"{loss}: {name} must be a matrix of floats, not {tensor.dtype} {shape(tensor)}.")


def scalar(name: str, value: Tensor, like: Tensor) -> Tensor:
    """A tensor of one number as a zero-dimensional one, of the dtype and device of `like`."""
    if value.numel() != 1:
        raise InputError(f"{name} must be one number, not {shape(value)}.")
    return value.reshape(()).to(like)


def positives(images: Tensor, image_ids: Tensor | None, text_ids: Tensor | None, processes: Processes = ALONE) -> Positives:
    """The positives of a batch from the ids (N,) int64 of this process's rows."""
    for name, ids in (("image_ids", image_ids), ("text_ids", text_ids)):
        if ids is not None and (ids.shape != images.shape[:1] or ids.dtype != torch.int64):
            raise InputError(f"{name} must be int64 of shape ({len(images)},), not {ids.dtype} {shape(ids)}.")
    everywhere = (None if ids is None else processes.gather(ids) for ids in (image_ids, text_ids))
    return Positives(processes.count * len(images), *everywhere, first_row=processes.rank * len(images))


def precision(*tensors: Tensor) -> torch.dtype:
    """float64 if any tensor has it, else float32."""
    return torch.float64 if any(tensor.dtype == torch.float64 for tensor in tensors) else torch.float32


def shape(tensor: Tensor) -> Sequence[int]:
    """The shape as a plain tuple, which messages print without torch's name for it."""
    return tuple(tensor.shape)
