"""Configuration of towers that are graphs of others: how they are called, and what their inputs must be."""

from dataclasses import dataclass
from typing import Literal

from seesay.models.fields import Size
from seesay.models.signature import Signature
from seesay.models.tower_config import ImageTowerConfig, TextTowerConfig, TowerConfig


class ForeignTowerConfig(TowerConfig):
    """Base of configurations of towers inside a graph, which gives their embedding."""

    signature: Signature

    @property
    def feature_width(self) -> int:
        return self.signature.width

    @property
    def projects(self) -> bool:
        return False

    @property
    def exported(self) -> Signature:
        return self.signature


@dataclass(frozen=True)
class ForeignImageConfig(ForeignTowerConfig, ImageTowerConfig):
    """An image tower inside a graph. numbers: how many its graph stores."""

    kind: Literal["foreign-image"]
    image_px: Size
    signature: Signature
    numbers: int = 0

    @property
    def grid(self) -> int:
        return 1


@dataclass(frozen=True)
class ForeignTextConfig(ForeignTowerConfig, TextTowerConfig):
    """A text tower inside a graph. positions: most ids of a text. end: the id at which it pools, where that is known."""

    kind: Literal["foreign-text"]
    vocabulary: Size
    positions: Size
    signature: Signature
    end: int | None = None
    numbers: int = 0

    @property
    def max_tokens(self) -> int:
        return self.positions

    @property
    def pad_id(self) -> int | None:
        return None if self.signature.mask is None else self.signature.mask.pad_id

    @property
    def end_id(self) -> int | None:
        return self.end
