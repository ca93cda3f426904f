"""The configuration."""

from dataclasses import dataclass
from typing import Literal

from seesay.models.fields import Projection, Size
from seesay.system.schema import Bounded


@dataclass(frozen=True)
class CbowConfig(Bounded):
    """The mean of word embeddings (Mikolov et al. 2013), then a projection: a text tower for small models of one's own."""

    kind: Literal["cbow"]
    width: Size
    vocabulary: Size
    pad_id: int = 0
    projection: Projection = "linear"
