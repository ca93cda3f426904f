"""Configuration of CLIP's ResNet."""

from dataclasses import dataclass
from typing import ClassVar, Literal, Self

from seesay.errors import InputError
from seesay.models.fields import Projection, Size, check_heads
from seesay.models.tower_config import ImageTowerConfig

CELL_PX = 32  # the last map has one cell for so many pixels of a side


@dataclass(frozen=True)
class ModifiedResNetConfig(ImageTowerConfig):
    """CLIP's ResNet (Radford et al. 2021): three-convolution stem, average pooling before strides, attention pooling.

    width: channels after the stem. stages: bottleneck blocks in each of four stages. heads: of the attention pooling, whose
    last layer is the projection (linear, with a bias).
    """

    overridable: ClassVar[frozenset[str]] = frozenset(("heads", "image_px"))

    kind: Literal["modified-resnet"]
    image_px: Size
    width: Size
    stages: tuple[Size, Size, Size, Size]
    heads: Size

    def __post_init__(self) -> None:
        super().__post_init__()
        check_heads(self.feature_width, self.heads)
        if self.image_px < CELL_PX:
            raise InputError(f"expected image_px of at least {CELL_PX}, one cell of the last map, got {self.image_px}")

    @property
    def grid(self) -> int:
        return self.image_px // CELL_PX

    @property
    def cell_px(self) -> int:
        return CELL_PX

    @property
    def feature_width(self) -> int:
        """Channels of the last map, all cells of which enter the attention pooling."""
        return 32 * self.width

    @property
    def layers(self) -> tuple[int, ...]:
        return self.stages

    def with_projection(self, projection: Projection) -> Self:
        if projection != "linear":
            raise InputError(f"a {self.kind} has a linear one, in its attention pooling")
        return self
