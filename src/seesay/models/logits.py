"""Logits: a model's scale and bias applied to cosines, and softmax or sigmoid over the result."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

ScoreKind = Literal["softmax", "sigmoid"]


def scaled(cosines: Any, scale: Any, bias: Any = None) -> Any:
    """Cosines -> logits, in numpy or torch."""
    logits = scale * cosines
    return logits if bias is None else logits + bias


@dataclass(frozen=True)
class Logits:
    """How a model turns cosines into probabilities. logit_scale: the logarithm of the scale; bias: None where it has none."""

    logit_scale: float
    bias: float | None
    score: ScoreKind

    @property
    def scale(self) -> float:
        """The factor of cosines, the inverse of the temperature."""
        return float(np.exp(self.logit_scale))

    def probabilities(self, cosines: np.ndarray) -> np.ndarray:
        """Cosines (N, labels) -> probabilities (N, labels) float32.

        "softmax": over the labels, at the model's own temperature; rows sum to 1. "sigmoid": each label's own probability.
        """
        logits = scaled(cosines, self.scale, self.bias)
        if self.score == "sigmoid":
            return np.asarray(1 / (1 + np.exp(-logits)), dtype=np.float32)
        exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True), dtype=np.float32)
