"""Configuration of EfficientNet-Lite."""

from dataclasses import dataclass, replace
from typing import Annotated, Literal, Self

from seesay.errors import InputError
from seesay.models.fields import Projection, Size
from seesay.models.tower_config import ImageTowerConfig
from seesay.system.schema import Bounds


@dataclass(frozen=True)
class EfficientNetLiteConfig(ImageTowerConfig):
    """EfficientNet-Lite image tower (Tan & Le 2019, Lite variant: ReLU6, no squeeze-excite).

    stages: (repeats, kernel, stride) each. widths: channels of the stem, of each stage, and of the last convolution.
    head "conse": class probabilities times class-name embeddings (Norouzi et al. 2014); otherwise a projection of the pooled
    features, and `classes` is 0. branch: with "conse", so many of the last blocks and the last convolution exist once more, and
    a linear projection of both ways' features is added to the class names: what is learnt there takes nothing from the classes.
    norm "batch": every convolution has a batch norm in place of a bias; "folded": it was folded into the convolution.
    """

    kind: Literal["efficientnet-lite"]
    image_px: Size
    stages: tuple[tuple[Size, Size, Size], ...]
    widths: tuple[Size, ...]
    classes: Annotated[int, Bounds(least=0)]
    head: Literal["conse", "linear", "affine", "mlp", "none"]
    norm: Literal["folded", "batch"] = "folded"
    branch: Annotated[int, Bounds(least=0)] = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        most = len(self.strides) - 1 if self.head == "conse" else 0
        if self.branch > most:
            raise InputError(f"expected a branch of at most {most} blocks with the head {self.head!r}, got {self.branch}")
        if not self.stages:
            raise InputError("expected at least one stage, got none")
        if len(self.widths) != len(self.stages) + 2:
            raise InputError(
                f"expected widths of the stem, {len(self.stages)} stages and the last convolution, got {len(self.widths)}"
            )

    @property
    def strides(self) -> tuple[int, ...]:
        """The stride of every block: only the first of a stage has one above 1."""
        return tuple(stride if repeat == 0 else 1 for repeats, _, stride in self.stages for repeat in range(repeats))

    @property
    def grid(self) -> int:
        """Cells of a side of the last feature map."""
        return self._side_after(len(self.strides))

    @property
    def feature_width(self) -> int:
        return self.widths[-1] * (2 if self.branch else 1)

    @property
    def projects(self) -> bool:
        return self.head != "none"

    def with_projection(self, projection: Projection) -> Self:
        """Without the classes, and without a branch."""
        if projection == "affine":
            raise InputError("an efficientnet-lite tower has no projection with a bias")
        return replace(self, head=projection, classes=0, branch=0)

    @property
    def branch_grid(self) -> int:
        """Cells of a side of the map that the branch begins from."""
        return self._side_after(len(self.strides) - self.branch)

    def _side_after(self, blocks: int) -> int:
        side = -(-self.image_px // 2)
        for stride in self.strides[:blocks]:
            side = -(-side // stride)
        return side
