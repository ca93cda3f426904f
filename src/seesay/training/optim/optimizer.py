"""AdamW over groups of parameters, its learning rate over time, and a running mean of the weights."""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from seesay.errors import InputError
from seesay.models.clip import Clip
from seesay.models.layers.groups import parameters_in, partly_frozen
from seesay.training.recipe import Optimizer


def adamw(clip: Clip, others: nn.Module, said: Optimizer) -> torch.optim.AdamW:
    """Over all parameters that learn. What has fewer than two dimensions (norms, biases, the temperature) is not decayed,
    as in OpenCLIP. Raises InputError where nothing learns."""
    projections = {id(p) for tower in (clip.image, clip.text) for p in parameters_in(tower.groups()[-1])}
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for parameter in [*clip.parameters(), *others.parameters()]:
        if parameter.requires_grad:
            key = (parameter.ndim >= 2 and not partly_frozen(parameter), id(parameter) in projections)
            groups.setdefault(key, []).append(parameter)
    if not any(decayed for decayed, _ in groups):
        raise InputError(
            "nothing is left to learn: both towers are locked whole. Raise model.image or model.text unlocked_groups"
        )
    return torch.optim.AdamW(
        [
            {
                "params": parameters,
                "weight_decay": said.weight_decay if decayed else 0.0,
                "factor": said.projection_factor if projecting else 1.0,
            }
            for (decayed, projecting), parameters in groups.items()
        ],
        lr=said.learning_rate,
        betas=said.betas,
        eps=said.eps,
        fused=True,
    )


def set_learning_rate(optimizer: torch.optim.Optimizer, step: int, steps: int, said: Optimizer) -> float:
    """For the step of this number, from 0; linear warmup, then half a cosine to 0, or constant."""
    if step < said.warmup:
        rate = said.learning_rate * (step + 1) / said.warmup
    elif said.schedule == "constant":
        rate = said.learning_rate
    else:
        rate = 0.5 * (1 + math.cos(math.pi * (step - said.warmup) / max(1, steps - said.warmup))) * said.learning_rate
    for group in optimizer.param_groups:
        group["lr"] = rate * group["factor"]
    return rate


class Ema:
    """The exponential moving mean of a model's floating-point weights and buffers; early steps count for more (the decay grows
    as (1 + step) / (10 + step) up to its own value), so that the first weights are soon forgotten."""

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.decay, self.steps = decay, 0
        self.values = {name: tensor.detach().clone() for name, tensor in module.state_dict().items()}

    @torch.no_grad()
    def update(self, module: nn.Module) -> None:
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        self.steps += 1
        for name, tensor in module.state_dict().items():
            if tensor.is_floating_point():
                self.values[name].lerp_(tensor, 1 - decay)
            else:
                self.values[name].copy_(tensor)

    def state_dict(self) -> dict[str, Any]:
        return {"steps": self.steps, "values": self.values}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.steps = state["steps"]
        for name, tensor in state["values"].items():
            self.values[name].copy_(tensor)
