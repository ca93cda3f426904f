"""Configuration of CLIP's text transformer."""

from dataclasses import dataclass, replace
from typing import ClassVar, Literal, Self

from seesay.errors import InputError
from seesay.models.fields import Activation, Projection, Size, check_heads
from seesay.models.tower_config import TextTowerConfig


@dataclass(frozen=True)
class ClipTextConfig(TextTowerConfig):
    """CLIP's text transformer: learned positions, pre-norm blocks.

    causal: a token sees only those before it. pooling "eos": the first `eos_id` of each text; "last": the last position
    (CLIPA); "class": a class token after the text (CoCa). The last two need full padding. Padding is masked with "class" only,
    by `pad_id` and one position late, as OpenCLIP's weights were trained: the first padding is seen.
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
    pooling: Literal["eos", "last", "class"]
    eos_id: int
    projection: Projection = "linear"
    pad_id: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_heads(self.width, self.heads)
        if (self.pooling == "class") != (self.pad_id is not None):
            raise InputError("the pooling 'class' masks a pad_id, and no other does")

    @property
    def max_tokens(self) -> int:
        return self.positions - (self.pooling == "class")

    @property
    def end_id(self) -> int | None:
        return self.eos_id if self.pooling == "eos" else None

    @property
    def needs_full_length(self) -> bool:
        return self.pooling in ("last", "class")

    @property
    def feature_width(self) -> int:
        return self.width

    @property
    def projects(self) -> bool:
        return self.projection != "none"

    @property
    def layers(self) -> int:
        return self.depth

    def overridden(self, **values: object) -> Self:
        if self.pooling == "class" and values.get("positions"):
            raise InputError("a text tower with a class token after the text cannot be opened at another length")
        return super().overridden(**values)

    def with_projection(self, projection: Projection) -> Self:
        return replace(self, projection=projection)
