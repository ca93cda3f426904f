"""Configuration of the toy tower."""

from dataclasses import dataclass, replace
from typing import Literal, Self

from seesay.models.fields import Projection, Size
from seesay.models.tower_config import ImageTowerConfig


@dataclass(frozen=True)
class ToyConfig(ImageTowerConfig):
    """The mean colour of every cell, one hidden layer, a projection."""

    kind: Literal["toy"]
    image_px: Size
    cells: Size
    width: Size
    projection: Projection = "linear"

    @property
    def grid(self) -> int:
        return 1

    @property
    def feature_width(self) -> int:
        return self.width

    @property
    def projects(self) -> bool:
        return self.projection != "none"

    def with_projection(self, projection: Projection) -> Self:
        return replace(self, projection=projection)
