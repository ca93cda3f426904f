"""First weights of CLIP's ResNet, as its published code draws them."""

from torch import nn

from seesay.models.families.modified_resnet.tower import Bottleneck, ModifiedResNet
from seesay.models.layers.init import initialise_linear, initialise_projection, normal


def initialise(tower: ModifiedResNet) -> None:
    """Draws all weights, in place; convolutions keep torch's."""
    for module in tower.modules():
        if isinstance(module, Bottleneck):
            nn.init.zeros_(module.conv3.norm.weight)  # every block begins as its shortcut
    pool = tower.pool
    normal(pool.position_embedding, pool.query.in_features**-0.5)
    for layer in (pool.query, pool.key, pool.value):
        initialise_linear(layer, layer.in_features**-0.5)
    initialise_projection(tower)
