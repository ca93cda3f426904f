"""The weight of a blend: as little of a fine-tuned model as has most of what it gained.

WiSE-FT (Wortsman et al. 2022, arXiv 2109.01903) leaves the weight open, or takes 0.5. Here held-out pictures choose it: what a
fine-tuning gained grows with the weight, and so does what it forgot elsewhere.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from seesay.checkpoints.blend import blend
from seesay.errors import InputError
from seesay.evaluation.datasets import Labels
from seesay.evaluation.runs import run_zero_shot
from seesay.model import load
from seesay.system.progress import NamedProgress

SHARE = 0.95  # of the gain
STEPS = 10  # weights are multiples of 1 / STEPS


@dataclass(frozen=True)
class BlendWeight:
    """weight: the chosen one. accuracies: top-1 by each weight that was tried; 0 is the model before, 1 the one after."""

    weight: float
    accuracies: dict[float, float]


def least_weight(
    before: str, after: str, data: Labels, templates: Sequence[str], progress: NamedProgress | None = None
) -> BlendWeight:
    """The least weight of `after` at which zero-shot top-1 on `data` has risen by 95 % of the gain, in steps of a tenth.

    It is found by halving, with at most four blends. Raises InputError where `after` is no more accurate; ModelError,
    MissingExtra.
    """
    accuracies: dict[float, float] = {}
    with tempfile.TemporaryDirectory(prefix="seesay-") as place:

        def accuracy(step: int) -> float:
            model: str | Path = before if step == 0 else after
            if 0 < step < STEPS:
                model = blend([before, after], [1 - step / STEPS, step / STEPS], Path(place) / f"{step}").folder
            accuracies[step / STEPS] = run_zero_shot(f"{step}", load(model), data, templates, progress).score.top1
            return accuracies[step / STEPS]

        first, last = accuracy(0), accuracy(STEPS)
        if last <= first:
            raise InputError(
                f"{after} is no more accurate on these pictures than {before} ({last:.1%}, {first:.1%}), so there is no gain "
                "to weigh; choose a weight yourself"
            )
        low, high = 0, STEPS
        while high - low > 1:
            middle = (low + high) // 2
            if accuracy(middle) >= first + SHARE * (last - first):
                high = middle
            else:
                low = middle
    return BlendWeight(high / STEPS, dict(sorted(accuracies.items())))
