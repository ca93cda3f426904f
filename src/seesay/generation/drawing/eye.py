"""`Eye`: an image tower that sees drawings, with gradients: their vectors, and what its blocks make of them."""

from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor

from seesay.errors import MissingCapability

if TYPE_CHECKING:
    from seesay.model import Model

SHARES = (0.5, 0.6, 0.75)  # of a tower's own side, for views where it takes any
DEPTHS = (0.15, 0.35, 0.6)  # of the blocks whose states are looked at, from the first 0 to the last 1


class Eye:
    """The image tower of a model that torch runs. Raises MissingCapability for any other model."""

    def __init__(self, model: "Model") -> None:
        engine: Any = model.engine
        if "gradients" not in engine.capabilities:
            raise MissingCapability(
                f"drawing takes gradients, which only torch gives, and the engine of {model.name!r} is {engine.name}; open the "
                "model with engine='torch'"
            )
        if "image" not in engine.capabilities:
            raise MissingCapability(f"model {model.name!r} sees no pictures, so that it cannot say how near a drawing is")
        self.tower = engine.clip.image.requires_grad_(False)
        if self.tower.channels_last:  # a third of the time
            self.tower = self.tower.to(memory_format=torch.channels_last)
        self.spec = model.image_spec
        self.device: torch.device = engine.device
        side = self.spec.size_px
        # Where views may have any size, they are smaller: that is twice as fast, and a pattern that only works at one size
        # fails.
        self.sides = tuple(round(side * share) for share in SHARES) if self.tower.any_size else (side,)

    def vectors(self, pixels: Tensor) -> Tensor:
        """A tower's pixels (B, 3, size_px, size_px) -> unit vectors (B, dim)."""
        layout = torch.channels_last if self.tower.channels_last else torch.contiguous_format
        there = pixels.to(self.device).contiguous(memory_format=layout)
        return F.normalize(self.tower(there).float(), dim=1).cpu()

    def vectors_and_states(self, pixels: Tensor) -> tuple[Tensor, list[Tensor]]:
        """The same, and the states behind some blocks (`DEPTHS`): (B, channels, places) each. Raises MissingCapability for a
        tower without blocks."""
        blocks = [module for module in self.tower.modules() if isinstance(module, self.tower.block_types)]
        if not blocks:
            raise MissingCapability("this model's image tower has no blocks whose states could be compared")
        states: list[Tensor] = []

        def keep(module: object, inputs: object, output: Tensor) -> None:
            states.append((output.flatten(2) if output.ndim == 4 else output.transpose(1, 2)).float().cpu())

        chosen = sorted({int(depth * (len(blocks) - 1)) for depth in DEPTHS})
        handles = [blocks[number].register_forward_hook(keep) for number in chosen]
        try:
            return self.vectors(pixels), states
        finally:
            for handle in handles:
                handle.remove()
