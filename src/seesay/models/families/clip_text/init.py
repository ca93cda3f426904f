"""First weights of CLIP's text transformer, as its published code draws them."""

from seesay.models.families.clip_text.tower import ClipText
from seesay.models.layers.init import initialise_blocks, initialise_projection, normal


def initialise(tower: ClipText) -> None:
    """Draws all weights, in place."""
    normal(tower.token_embedding.weight, 0.02)
    normal(tower.position_embedding, 0.01)
    if tower.class_embedding is not None:
        normal(tower.class_embedding, 0.01)
    initialise_blocks(tower.blocks, tower.config.width)
    initialise_projection(tower)
