"""The protocol of what encodes texts: the part of a Model that tasks need."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from seesay.models.logits import Logits


class Encoder(Protocol):
    """Encodes texts into the space of one model, and says how that model turns cosines into probabilities."""

    def encode_text(self, texts: str | Sequence[str], *, normalize: bool = True) -> np.ndarray:
        """Texts -> (N, D) float32, unit length unless `normalize` is false."""
        ...

    @property
    def logits(self) -> Logits:
        """The scale and bias of its cosines, and whether softmax or sigmoid follows."""
        ...
