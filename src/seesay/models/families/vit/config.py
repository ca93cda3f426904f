"""The configuration."""

from dataclasses import dataclass
from typing import Literal

from seesay.errors import InputError
from seesay.models.fields import Activation, Projection, Size, TransformerConfig


@dataclass(frozen=True)
class VitConfig(TransformerConfig):
    """Vision Transformer (Dosovitskiy et al. 2020) as CLIP uses it: class token, learned positions, pre-norm blocks.

    pooling "cls": the class token; "mean": the mean of the patches (CLIPA). norm_after_pool: the last norm sees the pooled
    vector instead of every token. layer_scale: a learned scale at the end of each branch.
    """

    kind: Literal["vit"]
    image_px: Size
    patch_px: Size
    width: Size
    depth: Size
    heads: Size
    mlp_width: Size
    activation: Activation
    layer_norm_eps: float
    pooling: Literal["cls", "mean"] = "cls"
    norm_before: bool = True
    norm_after_pool: bool = False
    layer_scale: bool = False
    projection: Projection = "linear"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.patch_px > self.image_px:
            raise InputError(f"expected a patch_px within image_px, got {self.patch_px} and {self.image_px}")

    @property
    def grid(self) -> int:
        return self.image_px // self.patch_px
