"""Weights of words, applied to what a text encoder gives for each token: two rules.

"towards-empty" (compel, damian0815): a token's vector moves on the line from what the empty prompt has at its place, through
the prompt's, by the weight. For a weight below 1 the prompt is also encoded with that part hidden, which counts the more the
smaller the weight is: at 0.5 as much as the prompt itself, at 0 alone. Parts in other chunks count too, as the chunk itself.

"restore-mean" (AUTOMATIC1111's web interface): a token's vector is multiplied by its weight; then the whole chunk is scaled
until its mean is what it was.
"""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from torch import Tensor

Rule = Literal["towards-empty", "restore-mean", "none"]
RULES: tuple[Rule, ...] = ("towards-empty", "restore-mean", "none")
LEAST = 1e-5  # stands for a weight of 0, whose share would be infinite


def from_empty(z: "Tensor", weights: "Tensor", empty: "Tensor") -> "Tensor":
    """z, empty (L, W), weights (L,) -> empty + w (z - empty); where the weight is 1, z to the last bit."""
    w = weights[:, None]
    return (empty + w * (z - empty)).where(w != 1, z)


def share(weight: float) -> float:
    """How much a prompt without a part of that weight, below 1, counts beside the prompt itself, which counts 1."""
    return math.tan((1 - max(weight, LEAST)) * math.pi / 2)


def blend(parts: "Sequence[Tensor]", shares: Sequence[float]) -> "Tensor":
    """The mean of (L, W) by shares; the only part to the last bit."""
    total = sum(shares)
    mixed = parts[0] * (shares[0] / total)
    for part, number in zip(parts[1:], shares[1:], strict=True):
        mixed = mixed + part * (number / total)
    return mixed


def restoring_mean(z: "Tensor", weights: "Tensor") -> "Tensor":
    """z (L, W), weights (L,) -> w z, scaled so that the mean over everything is what it was."""
    scaled = z * weights[:, None]
    ratio = z.double().mean() / scaled.double().mean()  # means of thousands of numbers, which may be near zero
    return scaled * ratio.float()
