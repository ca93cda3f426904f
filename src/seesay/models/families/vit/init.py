"""First weights of a Vision Transformer, as CLIP's published code draws them."""

from seesay.models.families.vit.tower import Vit
from seesay.models.layers.init import initialise_blocks, initialise_projection, normal


def initialise(tower: Vit) -> None:
    """Draws all weights, in place."""
    width = tower.config.width
    normal(tower.class_embedding, width**-0.5)
    normal(tower.position_embedding, width**-0.5)
    initialise_blocks(tower.blocks, width)
    if tower.attention_pool is not None:
        normal(tower.attention_pool.query, 1.0)  # as OpenCLIP, which leaves the rest to torch
    initialise_projection(tower)
