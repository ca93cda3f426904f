"""Configuration of SigLIP's Vision Transformer."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from seesay.models.fields import Activation, Projection, Size
from seesay.models.tower_config import PatchTowerConfig


@dataclass(frozen=True)
class SiglipVitConfig(PatchTowerConfig):
    """Vision Transformer without a class token, whose patches one learned query pools by attention (Zhai et al. 2023, SigLIP).

    The pooling's attention and MLP have as many heads and as wide a layer as the blocks.
    """

    overridable: ClassVar[frozenset[str]] = frozenset(("activation", "heads", "image_px"))

    kind: Literal["siglip-vit"]
    image_px: Size
    patch_px: Size
    width: Size
    depth: Size
    heads: Size
    mlp_width: Size
    activation: Activation
    layer_norm_eps: float
    projection: Projection = "none"
