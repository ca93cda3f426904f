"""The part of a Model that tasks need."""

from collections.abc import Sequence
from typing import Literal, Protocol

import numpy as np


class Encoder(Protocol):
    def encode_text(self, texts: str | Sequence[str], *, normalize: bool = True) -> np.ndarray:
        """Texts -> (N, D) float32, unit length unless `normalize` is false."""
        ...

    @property
    def logit_scale(self) -> float:
        """What cosines are multiplied by before softmax or sigmoid (already exponentiated)."""
        ...

    @property
    def logit_bias(self) -> float:
        """What is added after that; 0 where the model has none."""
        ...

    @property
    def score(self) -> Literal["softmax", "sigmoid"]: ...
