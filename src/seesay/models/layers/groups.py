"""Groups of a tower's parameters, from its input to its projection, by which training freezes parts of it."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

Group = Sequence[nn.Module | nn.Parameter]


def parameters_in(group: Group) -> list[nn.Parameter]:
    """All parameters of a group."""
    return [p for part in group for p in ([part] if isinstance(part, nn.Parameter) else part.parameters())]


def names_in(tower: nn.Module, group: Group) -> set[str]:
    """The names of a group's parameters in the tower's state dict."""
    members = {id(parameter) for parameter in parameters_in(group)}
    return {name for name, parameter in tower.named_parameters() if id(parameter) in members}


def freeze_rows(weight: Tensor, trainable: int) -> None:
    """Freezes all but the first `trainable` rows of a matrix, by a gradient of zero. An optimizer must not decay a weight that
    is `partly_frozen`."""

    def first_rows(gradient: Tensor) -> Tensor:
        return gradient * (torch.arange(len(gradient), device=gradient.device) < trainable)[:, None]

    weight.register_hook(first_rows)  # type: ignore[no-untyped-call]
    weight.partly_frozen = True  # type: ignore[attr-defined]


def partly_frozen(parameter: Tensor) -> bool:
    """True if `freeze_rows` froze some rows of this parameter."""
    return getattr(parameter, "partly_frozen", False)


def freeze(groups: Sequence[Group], trainable: int) -> None:
    """Freezes all but the last `trainable` groups: no gradients, and batch norms in eval mode.

    Call again after `train()`, which would unfreeze the batch norms. Locked-image tuning (Zhai et al. 2022) is 0 or 1 trainable
    groups of the image tower: 1 trains its projection alone.
    """
    for number, group in enumerate(groups):
        frozen = number < len(groups) - trainable
        for part in group:
            part.requires_grad_(not frozen)
            if frozen and isinstance(part, nn.Module):
                part.eval()
