"""Configuration of CLIP's text transformer."""

from dataclasses import dataclass, replace
from typing import ClassVar, Literal, Self

from seesay.models.fields import Activation, Projection, Size, check_heads
from seesay.models.tower_config import TextTowerConfig


@dataclass(frozen=True)
class ClipTextConfig(TextTowerConfig):
    """CLIP's text transformer: learned positions, pre-norm blocks.

    causal: a token sees only those before it. Padding is never masked. pooling "eos": the first `eos_id` of each text;
    "last": the last position (CLIPA), which needs full padding.
    """

    overridable: ClassVar[frozenset[str]] = frozenset(("activation", "heads", "positions"))
    follows_image_activation: ClassVar[bool] = True

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

    def __post_init__(self) -> None:
        super().__post_init__()
        check_heads(self.width, self.heads)

    @property
    def max_tokens(self) -> int:
        return self.positions

    @property
    def end_id(self) -> int | None:
        return self.eos_id if self.pooling == "eos" else None

    @property
    def needs_full_length(self) -> bool:
        return self.pooling == "last"

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
