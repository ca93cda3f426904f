"""The configuration."""

from dataclasses import dataclass
from typing import Literal

from seesay.models.fields import Activation, Projection, Size, TransformerConfig


@dataclass(frozen=True)
class ClipTextConfig(TransformerConfig):
    """CLIP's text transformer: learned positions, pre-norm blocks.

    causal: a token sees only those before it. Padding is never masked. pooling "eos": the first `eos_id` of each text;
    "last": the last position (CLIPA), which needs full padding.
    """

    kind: Literal["clip-text"]
    width: Size
    depth: Size
    heads: Size
    mlp_width: Size
    vocabulary: Size
    positions: Size
    activation: Activation
    layer_norm_eps: float
    causal: bool
    pooling: Literal["eos", "last"]
    eos_id: int
    projection: Projection = "linear"
