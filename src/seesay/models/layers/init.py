"""First weights of the layers that several families share.

Standard deviations are those of CLIP's published code (Radford et al. 2021).
"""

import torch
from torch import Tensor, nn

from seesay.models.layers.tower import Tower
from seesay.models.layers.transformer import Block


def normal(tensor: Tensor, std: float) -> None:
    """Draws a tensor from a normal distribution around zero, in place."""
    nn.init.normal_(tensor, std=std)


def initialise_linear(layer: nn.Linear, std: float) -> None:
    """Draws a layer's weights; its bias becomes zero."""
    normal(layer.weight, std)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)


def initialise_blocks(blocks: nn.ModuleList, width: int) -> None:
    """Draws the weights of pre-norm transformer blocks; what is added to the residual stream gets smaller with the depth."""
    residual_std = (2 * width * len(blocks)) ** -0.5
    for block in blocks:
        assert isinstance(block, Block)
        for layer in (block.attention.query, block.attention.key, block.attention.value):
            initialise_linear(layer, width**-0.5)
        for layer, std in (
            (block.attention.out, residual_std),
            (block.mlp.up, (2 * width) ** -0.5),
            (block.mlp.down, residual_std),
        ):
            initialise_linear(layer, std)


@torch.no_grad()
def initialise_projection(tower: Tower) -> None:
    """Draws the linear layers of a tower's projection alone, in place."""
    for part in tower.projection_group():
        for layer in part.modules() if isinstance(part, nn.Module) else ():
            if isinstance(layer, nn.Linear):
                initialise_linear(layer, layer.in_features**-0.5)
