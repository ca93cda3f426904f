"""First weights of towers that are trained from scratch, drawn from torch's random numbers."""

import torch

from seesay.models.layers.tower import Tower
from seesay.models.registry import family_of


def initialise(tower: Tower) -> None:
    """Draws every weight of a tower, in place."""
    with torch.no_grad():
        family_of(tower.config).initialise(tower)
