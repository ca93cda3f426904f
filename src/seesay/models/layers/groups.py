"""A tower's parts in order from its input to its projection: the one partition that locking goes by."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

Group = Sequence[nn.Module | nn.Parameter]


def parameters_in(group: Group) -> list[nn.Parameter]:
    return [p for part in group for p in ([part] if isinstance(part, nn.Parameter) else part.parameters())]


def names_in(tower: nn.Module, group: Group) -> set[str]:
    """Of a group's parameters, as the tower's state calls them."""
    own = {id(parameter) for parameter in parameters_in(group)}
    return {name for name, parameter in tower.named_parameters() if id(parameter) in own}


def lock_rows(weight: Tensor, unlocked: int) -> None:
    """Keeps all but the first `unlocked` rows of a matrix as they are: their gradient is zero. An optimizer must not decay what
    is `partly_locked`."""

    def first_rows(gradient: Tensor) -> Tensor:
        return gradient * (torch.arange(len(gradient), device=gradient.device) < unlocked)[:, None]

    weight.register_hook(first_rows)  # type: ignore[no-untyped-call]
    weight.partly_locked = True  # type: ignore[attr-defined]


def partly_locked(parameter: Tensor) -> bool:
    return getattr(parameter, "partly_locked", False)


def lock(groups: Sequence[Group], unlocked: int) -> None:
    """Keeps all but the last `unlocked` groups as they are: no gradients, and batch norms that do not move.

    Call again after `train()`, which would move the batch norms. Locked-image tuning (Zhai et al. 2022) is `unlocked` 0 or 1
    on the image tower: 1 trains its projection alone.
    """
    for number, group in enumerate(groups):
        locked = number < len(groups) - unlocked
        for part in group:
            part.requires_grad_(not locked)
            if locked and isinstance(part, nn.Module):
                part.eval()
