"""First weights of EfficientNet."""

from torch import nn

from seesay.models.families.efficientnet.tower import EfficientNet
from seesay.models.layers.init import initialise_projection


def initialise(tower: EfficientNet) -> None:
    """Draws all weights, in place."""
    for module in tower.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    initialise_projection(tower)
