"""Configuration of EfficientNet."""

from dataclasses import dataclass, replace
from typing import Annotated, Literal, NamedTuple, Self

from seesay.errors import InputError
from seesay.models.fields import Projection, Size
from seesay.models.tower_config import ImageTowerConfig
from seesay.system.schema import Bounds


class BlockShape(NamedTuple):
    """One block: channels in and out, channels of its squeeze, and how far its depthwise convolution pads on each side."""

    inputs: int
    outputs: int
    squeezed: int
    kernel: int
    stride: int
    expansion: int
    before: int
    after: int
    residual: bool


@dataclass(frozen=True)
class EfficientNetConfig(ImageTowerConfig):
    """EfficientNet image tower (Tan & Le 2019) as ALIGN has it: swish, squeeze-excite, no convolution after the last block.

    stages: (repeats, kernel, stride, expansion, channels) each; the first block of a stage has no residual. stem: channels of
    the first convolution, which pads below and on the right. squeeze: channels of a block's squeeze, per channel of its input.
    evenly_padded: numbers of blocks whose strided convolution pads all sides alike; the others pad one pixel less above and on
    the left, which is TensorFlow's padding of even sides.
    """

    kind: Literal["efficientnet"]
    image_px: Size
    stem: Size
    stages: tuple[tuple[Size, Size, Size, Size, Size], ...]
    squeeze: Annotated[float, Bounds(above=0)]
    norm_eps: Annotated[float, Bounds(above=0)]
    evenly_padded: tuple[Annotated[int, Bounds(least=0)], ...] = ()
    projection: Projection = "none"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.stages:
            raise InputError("expected at least one stage, got none")

    @property
    def blocks(self) -> list[BlockShape]:
        """All blocks, in order."""
        blocks: list[BlockShape] = []
        inputs = self.stem
        for repeats, kernel, first_stride, expansion, outputs in self.stages:
            for repeat in range(repeats):
                stride, half = (first_stride if repeat == 0 else 1), kernel // 2
                before = half - 1 if stride == 2 and len(blocks) not in self.evenly_padded else half
                squeezed = max(1, int(inputs * self.squeeze))
                residual = repeat > 0 and stride == 1
                blocks.append(BlockShape(inputs, outputs, squeezed, kernel, stride, expansion, before, half, residual))
                inputs = outputs
        return blocks

    @property
    def grid(self) -> int:
        side = (self.image_px - 2) // 2 + 1  # a pixel is added, the kernel has 3
        for block in self.blocks:
            side = (side + block.before + block.after - block.kernel) // block.stride + 1
        return side

    @property
    def feature_width(self) -> int:
        return self.stages[-1][-1]

    @property
    def projects(self) -> bool:
        return self.projection != "none"

    @property
    def layers(self) -> int:
        return len(self.blocks)

    def with_projection(self, projection: Projection) -> Self:
        return replace(self, projection=projection)
