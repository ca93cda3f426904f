"""First weights of the mean of word embeddings."""

from seesay.models.families.cbow.tower import Cbow
from seesay.models.layers.init import initialise_projection, normal


def initialise(tower: Cbow) -> None:
    """Draws all weights, in place."""
    normal(tower.token_embedding.weight, tower.config.width**-0.5)
    initialise_projection(tower)
