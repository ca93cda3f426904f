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


def softmax(logits: np.ndarray) -> np.ndarray:
    """Logits (..., N) -> probabilities over the last axis, of the same type."""
    exponentials = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(axis=-1, keepdims=True))


def sigmoid(logits: np.ndarray) -> np.ndarray:
    """Logits -> probabilities of their own, float64; those of any size, whose exponentials would overflow."""
    return np.asarray(1 / (1 + np.exp(-np.clip(logits.astype(np.float64), -700, 700))))


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
        return (sigmoid if self.score == "sigmoid" else softmax)(logits).astype(np.float32)
