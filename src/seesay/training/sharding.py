"""Weights that are cut into shards, one for each process (FSDP2, torch's fully_shard), and made whole where they are needed."""

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.distributed.fsdp import FSDPModule, fully_shard, register_fsdp_forward_method
from torch.distributed.tensor import DTensor, distribute_tensor

from seesay.errors import InputError
from seesay.models.clip import Clip
from seesay.training.recipe import Recipe


def check_sharding(recipe: Recipe) -> None:
    """Raises InputError for what cannot be combined with shards."""
    if recipe.precision == "float16":
        raise InputError('distributed.strategy: expected "ddp" with the precision float16, got "fsdp2"; or take bfloat16')
    if recipe.model.image.unlocked_dims is not None or recipe.model.text.unlocked_dims is not None:
        raise InputError('distributed.strategy: expected "ddp" where a tower has unlocked_dims, got "fsdp2"')


def shard(clip: Clip) -> None:
    """Shards both towers in place, block by block: a block's weights are whole only while it is computed.

    The scale and the bias of the logits stay whole. Gradients are summed over all processes.
    """
    # It warns of in-place operations on what a block returns, of which there are none.
    warnings.filterwarnings("ignore", "FSDP2-wrapped module", UserWarning)
    for tower in (clip.image, clip.text):
        blocks = [module for module in tower.modules() if isinstance(module, tower.block_types)]
        tower.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]  # other layouts cannot be cut
        for module in (*blocks, tower):
            fully_shard(module, reshard_after_forward=True)
        for part in _sharded(tower):
            part.set_gradient_divide_factor(1.0)
            part.set_force_sum_reduction_for_comms(True)  # gloo knows no other
        register_fsdp_forward_method(tower, "from_cache")


@contextmanager
def whole(clip: Clip) -> Iterator[None]:
    """Every process has all weights meanwhile, and may call the towers as often as it likes; not for training."""
    modules = list(_sharded(clip))
    for module in modules:
        module.set_reshard_after_forward(False, recurse=False)
        module.unshard()
    try:
        yield
    finally:
        for module in modules:
            module.set_reshard_after_forward(True, recurse=False)
            module.reshard()


def whole_state(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A state dict without shards. All processes call it."""
    return {name: tensor.full_tensor() if isinstance(tensor, DTensor) else tensor for name, tensor in state.items()}


def own_part(tensor: Tensor) -> Tensor:
    """What this process holds of a tensor."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor


def as_in(tensor: Tensor, like: Tensor) -> Tensor:
    """A whole tensor, cut as another is, if that one is."""
    if not isinstance(like, DTensor) or tensor.shape != like.shape:
        return tensor
    return distribute_tensor(tensor.to(like.device), like.device_mesh, like.placements, src_data_rank=None)


def _sharded(module: nn.Module) -> Iterator[FSDPModule]:
    return (part for part in module.modules() if isinstance(part, FSDPModule))


def clip_norm(parameters: list[nn.Parameter], most: float) -> float:
    """Scales gradients so that the length of all together is at most this; returns their length."""
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    if not any(isinstance(gradient, DTensor) for gradient in gradients):
        return float(torch.nn.utils.clip_grad_norm_(parameters, most))
    squares = [gradient.float().square().sum() for gradient in gradients]
    total = float(torch.stack([s.full_tensor() if isinstance(s, DTensor) else s for s in squares]).sum().sqrt())
    if total > most:
        for gradient in gradients:
            gradient.mul_(most / (total + 1e-6))  # as torch's clip_grad_norm_
    return total
