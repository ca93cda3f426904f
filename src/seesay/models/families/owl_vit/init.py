"""First weights of OWL-ViT's image tower: those of CLIP's; its heads as torch draws them."""

from seesay.models.families.owl_vit.tower import OwlVit
from seesay.models.families.vit.init import initialise as initialise_vit


def initialise(tower: OwlVit) -> None:
    """Draws all weights, in place."""
    initialise_vit(tower)
