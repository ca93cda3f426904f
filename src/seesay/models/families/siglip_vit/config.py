"""Configuration of SigLIP's Vision Transformer."""

from dataclasses import dataclass, replace
from typing import ClassVar, Literal, Self

from seesay.errors import InputError
from seesay.models.fields import Activation, Projection, Size, check_heads
from seesay.models.tower_config import ImageTowerConfig


@dataclass(frozen=True)
class SiglipVitConfig(ImageTowerConfig):
    """Vision Transformer without a class token, whose patches one learned query pools by attention (Zhai et al. 2023, SigLIP).

    The pooling's attention and MLP have as many heads and as wide a layer as the blocks.
    """

    overridable: ClassVar[frozenset[str]] = frozenset(("activation", "heads", "image_px"))
    is_sequence: ClassVar[bool] = True

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

    def __post_init__(self) -> None:
        super().__post_init__()
        check_heads(self.width, self.heads)
        if self.patch_px > self.image_px:
            raise InputError(f"expected a patch_px within image_px, got {self.patch_px} and {self.image_px}")

    @property
    def grid(self) -> int:
        return self.image_px // self.patch_px

    @property
    def cell_px(self) -> int:
        return self.patch_px

    @property
    def feature_width(self) -> int:
        return self.width

    @property
    def projects(self) -> bool:
        return self.projection != "none"

    @property
    def layers(self) -> int:
        return self.depth

    def with_projection(self, projection: Projection) -> Self:
        return replace(self, projection=projection)
