"""Configuration of an EVA image tower."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from seesay.errors import InputError
from seesay.models.fields import Projection, Size
from seesay.models.tower_config import PatchTowerConfig


@dataclass(frozen=True)
class EvaConfig(PatchTowerConfig):
    """The Vision Transformer of EVA-CLIP (Fang et al. 2022 and 2023, Sun et al. 2023 and 2024): class token, learned positions,
    no key bias.

    mlp "swiglu": silu(gate(x)) * up(x) (Shazeer 2020). rotary_grid: the side of the grid to which rotary positions (Su et al.
    2021) of any resolution are scaled; None without them. inner_norm: a norm before the last layer of attention and of the MLP.
    norm_place "post": norms come after each branch, before its sum. norm "rms": without mean and bias. qkv_bias: of queries,
    values and the linear projection. layer_scale: a learned scale at the end of each branch.
    """

    overridable: ClassVar[frozenset[str]] = frozenset(("heads", "image_px"))

    kind: Literal["eva"]
    image_px: Size
    patch_px: Size
    width: Size
    depth: Size
    heads: Size
    mlp_width: Size
    mlp: Literal["gelu", "swiglu"]
    rotary_grid: Size | None = None
    inner_norm: bool = False
    norm_place: Literal["pre", "post"] = "pre"
    norm: Literal["layer", "rms"] = "layer"
    norm_eps: float = 1e-6
    qkv_bias: bool = True
    layer_scale: bool = False
    projection: Projection = "linear"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.rotary_grid is not None and self.head_width % 4:
            raise InputError(f"expected heads whose width is a multiple of 4, for rotary positions, got {self.head_width}")

    @property
    def head_width(self) -> int:
        """Features of one head."""
        return self.width // self.heads

    @property
    def unused_weights(self) -> frozenset[str]:
        return frozenset() if self.rotary_grid is None else frozenset(("rotation.cos", "rotation.sin"))
