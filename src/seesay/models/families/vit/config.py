"""Configuration of a Vision Transformer."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from seesay.models.fields import Activation, Projection, Size, check_heads
from seesay.models.tower_config import PatchTowerConfig
from seesay.system.schema import Bounded


@dataclass(frozen=True)
class AttentionPoolConfig(Bounded):
    """CoCa's pooling (Yu et al. 2022): learned queries of another width attend to all tokens, and are pooled in their place."""

    queries: Size
    heads: Size
    width: Size

    def __post_init__(self) -> None:
        super().__post_init__()
        check_heads(self.width, self.heads)


@dataclass(frozen=True)
class VitConfig(PatchTowerConfig):
    """Vision Transformer (Dosovitskiy et al. 2020) as CLIP uses it: class token, learned positions, pre-norm blocks.

    pooling "cls": the class token; "mean": the mean of the patches (CLIPA). norm_after_pool: the last norm sees the pooled
    vector instead of every token. layer_scale: a learned scale at the end of each branch. attention_pool: its queries take the
    place of the tokens before the last norm, the first one that of the class token.
    """

    overridable: ClassVar[frozenset[str]] = frozenset(("activation", "heads", "image_px"))

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
    attention_pool: AttentionPoolConfig | None = None

    @property
    def feature_width(self) -> int:
        return self.width if self.attention_pool is None else self.attention_pool.width
