"""An exponential moving average of a model's weights, with warm-up of its decay."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn


class Ema:
    """The exponential moving average of a module's floating-point weights and buffers; other buffers are copied.

    The decay grows as (1 + steps) / (10 + steps) up to its value, so that the first weights are soon forgotten.
    torch.optim.swa_utils.AveragedModel is no substitute: its first update copies the weights instead of averaging them, it
    averages integer buffers too, and it holds a second copy of the module.
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.decay = decay
        self.restart(module)

    def restart(self, module: nn.Module) -> None:
        """Starts again from the module's current weights."""
        self.steps = 0
        self.values = {name: tensor.detach().clone() for name, tensor in module.state_dict().items()}

    @torch.no_grad()
    def update(self, module: nn.Module) -> None:
        """Averages the module's current weights in; once per step."""
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        self.steps += 1
        for name, tensor in module.state_dict().items():
            if tensor.is_floating_point():
                self.values[name].lerp_(tensor, 1 - decay)
            else:
                self.values[name].copy_(tensor)

    def state_dict(self) -> dict[str, Any]:
        """The state for a checkpoint."""
        return {"steps": self.steps, "values": self.values}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restores a `state_dict`, in place."""
        self.steps = state["steps"]
        for name, tensor in state["values"].items():
            self.values[name].copy_(tensor)
