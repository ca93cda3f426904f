"""First weights of BERT (the standard deviation is that of Devlin and others, 2018)."""

from torch import nn

from seesay.models.families.bert.tower import Bert
from seesay.models.layers.init import initialise_linear, initialise_projection, normal

STD = 0.02


def initialise(tower: Bert) -> None:
    """Draws all weights, in place."""
    for module in tower.modules():
        if isinstance(module, nn.Linear):
            initialise_linear(module, STD)
        elif isinstance(module, nn.Embedding):
            normal(module.weight, STD)
    initialise_projection(tower)
