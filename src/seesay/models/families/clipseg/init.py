"""First weights of CLIPSeg's image tower: those of CLIP's; its decoder as torch draws it."""

from seesay.models.families.clipseg.tower import ClipSeg
from seesay.models.families.vit.init import initialise as initialise_vit


def initialise(tower: ClipSeg) -> None:
    """Draws all weights, in place."""
    initialise_vit(tower)
