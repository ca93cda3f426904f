"""The configuration."""

from dataclasses import dataclass
from typing import Literal

from seesay.errors import InputError
from seesay.models.fields import Size, check_heads
from seesay.system.schema import Bounded


@dataclass(frozen=True)
class ModifiedResNetConfig(Bounded):
    """CLIP's ResNet (Radford et al. 2021): three-convolution stem, average pooling before strides, attention pooling.

    width: channels after the stem. stages: bottleneck blocks in each of four stages. heads: of the attention pooling, whose
    last layer is the projection (linear, with a bias).
    """

    kind: Literal["modified-resnet"]
    image_px: Size
    width: Size
    stages: tuple[Size, Size, Size, Size]
    heads: Size

    def __post_init__(self) -> None:
        super().__post_init__()
        check_heads(32 * self.width, self.heads)
        if self.image_px < 32:
            raise InputError(f"expected image_px of at least 32, one cell of the last map, got {self.image_px}")

    @property
    def grid(self) -> int:
        return self.image_px // 32
