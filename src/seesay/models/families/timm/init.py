"""First weights of a timm tower, as timm draws them."""

from dataclasses import replace

import torch

from seesay.models.families.timm.tower import Timm
from seesay.models.families.timm.trunk import make_trunk
from seesay.models.layers.init import initialise_projection


def initialise(tower: Timm) -> None:
    """Draws all weights, in place: timm's when it builds the trunk once more, and the projection's as of all families."""
    with torch.device("cpu"):
        fresh = make_trunk(replace(tower.config, projection="none"), 0)
    tower.trunk.load_state_dict(fresh.state_dict(), strict=False)  # all but the classifier that projects
    initialise_projection(tower)
