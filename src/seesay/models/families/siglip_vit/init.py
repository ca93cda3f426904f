"""First weights of SigLIP's Vision Transformer: those of CLIP's, and a query of the pooling like its class token."""

from seesay.models.families.siglip_vit.tower import SiglipVit
from seesay.models.layers.init import initialise_blocks, initialise_linear, initialise_projection, normal


def initialise(tower: SiglipVit) -> None:
    """Draws all weights, in place."""
    width = tower.config.width
    normal(tower.position_embedding, width**-0.5)
    normal(tower.pool.query, width**-0.5)
    initialise_blocks(tower.blocks, width)
    attention, mlp = tower.pool.attention, tower.pool.mlp
    for layer in (attention.query, attention.key, attention.value, attention.out, mlp.up, mlp.down):
        initialise_linear(layer, layer.in_features**-0.5)
    initialise_projection(tower)
