"""First weights of an EVA tower, as EVA-CLIP's published code draws them.

The projection is drawn as in the other towers: the authors make it a thousand times smaller, for fine-tuning a classifier.
"""

import torch

from seesay.models.families.eva.tower import Eva, EvaBlock
from seesay.models.layers.init import initialise_linear, initialise_projection, normal

STD = 0.02


def initialise(tower: Eva) -> None:
    """Draws all weights, in place."""
    normal(tower.class_embedding, STD)
    normal(tower.position_embedding, STD)
    for depth, block in enumerate(tower.blocks, start=1):
        assert isinstance(block, EvaBlock)
        attention, mlp = block.attention, block.mlp
        for layer in (attention.query, attention.key, attention.value, mlp.up, *([mlp.gate] if mlp.gate else [])):
            initialise_linear(layer, STD)
        for layer in (attention.out, mlp.down):
            initialise_linear(layer, STD * (2 * depth) ** -0.5)
        if tower.config.layer_scale:
            for scale in (block.scale1, block.scale2):
                torch.nn.init.constant_(scale.weight, 0.1)  # type: ignore[arg-type]
    initialise_projection(tower)
