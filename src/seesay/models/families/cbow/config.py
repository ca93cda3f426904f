"""Configuration of the mean of word embeddings."""

from dataclasses import dataclass, replace
from typing import Literal, Self

from seesay.models.fields import Projection, Size
from seesay.models.tower_config import TextTowerConfig


@dataclass(frozen=True)
class CbowConfig(TextTowerConfig):
    """The mean of word embeddings (Mikolov et al. 2013), then a projection: a text tower for small models of one's own."""

    kind: Literal["cbow"]
    width: Size
    vocabulary: Size
    pad_id: int = 0
    projection: Projection = "linear"

    @property
    def feature_width(self) -> int:
        return self.width

    @property
    def projects(self) -> bool:
        return self.projection != "none"

    def with_projection(self, projection: Projection) -> Self:
        return replace(self, projection=projection)
