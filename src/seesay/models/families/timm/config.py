"""Configuration of a timm tower."""

from dataclasses import dataclass, replace
from typing import Annotated, Literal, Self

from seesay.errors import InputError
from seesay.models.fields import Projection, Size
from seesay.models.tower_config import ImageTowerConfig
from seesay.system.schema import Bounds


@dataclass(frozen=True)
class TimmConfig(ImageTowerConfig):
    """An image tower that the library timm builds by name, and a projection, as OpenCLIP combines them.

    model: timm's name of the architecture. pool: how its last features are pooled, "" where as timm does by default.
    classifier: whether timm's own last layer, with a bias, is the projection; else `projection` follows a tower that has lost
    that layer, with a bias at its end where `projection_bias` says so.

    The rest is what timm would have to be asked for, so that an exported tower is described without it. width: of the features.
    cells: of a side of the last map, 0 where it has none, and then no dense output. weights, multiplications: before the
    projection, multiplications for one image.
    """

    kind: Literal["timm"]
    image_px: Size
    model: str
    pool: str
    classifier: bool
    projection: Projection
    width: Size
    cells: Annotated[int, Bounds(least=0)]
    weights: Size
    multiplications: Size
    projection_bias: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.classifier and self.projection == "mlp":
            raise InputError("expected projection 'linear' or 'none' where timm's classifier projects, got 'mlp'")

    @property
    def unmeasured(self) -> Self:
        """The same without what was measured."""
        return replace(self, width=1, cells=0, weights=1, multiplications=1)

    @property
    def grid(self) -> int:
        return self.cells or 1

    @property
    def has_dense(self) -> bool:
        return self.cells > 0

    @property
    def feature_width(self) -> int:
        return self.width

    @property
    def projects(self) -> bool:
        return self.projection != "none"

    def with_projection(self, projection: Projection) -> Self:
        return replace(self, projection=projection)
