"""Logits: a model's scale and bias applied to cosines, and softmax or sigmoid over the result."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from seesay.errors import MissingCapability

ScoreKind = Literal["softmax", "sigmoid"]


def scaled(cosines: Any, scale: Any, bias: Any = None) -> Any:
    """Cosines -> logits, in numpy or torch."""
    logits = scale * cosines
    return logits if bias is None else logits + bias


@dataclass(frozen=True)
class Logits:
    """How a model turns cosines into probabilities. logit_scale: the logarithm of the scale, None where it is not known; bias:
    None where it has none."""

    logit_scale: float | None
    bias: float | None
    score: ScoreKind

    @property
    def scale(self) -> float:
        """The factor of cosines, the inverse of the temperature. Raises MissingCapability where it is not known."""
        if self.logit_scale is None:
            needed = "scale=NUMBER" if self.score == "softmax" else "scale=NUMBER and bias=NUMBER"
            raise MissingCapability(
                "this model's files do not hold the scale of its cosines, without which there are no probabilities: search "
                "needs none, classification does. Its authors' checkpoint has it as logit_scale, whose exponential is the "
                f"scale. Pass {needed}, in a shell --scale and --bias"
            )
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
