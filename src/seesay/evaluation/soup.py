"""A greedy soup: models fine-tuned from one are averaged as long as accuracy on held-out pictures does not fall.

Wortsman et al. 2022, arXiv 2203.05482, recipe 1: the models in order of their accuracy; each joins the mean where that is no
less accurate than before.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from seesay.checkpoints.blend import blend
from seesay.evaluation.datasets import Labels
from seesay.evaluation.runs import run_zero_shot
from seesay.model import load
from seesay.system.progress import NamedProgress


@dataclass(frozen=True)
class Soup:
    """kept: the models whose mean it is, the most accurate first. accuracy: of the mean; alone: of each model by itself."""

    kept: tuple[str, ...]
    accuracy: float
    alone: dict[str, float]


def greedy_soup(models: Sequence[str], data: Labels, templates: Sequence[str], progress: NamedProgress | None = None) -> Soup:
    """Chooses among models of one architecture by zero-shot top-1 on `data`. Raises InputError, ModelError, MissingExtra."""

    def accuracy(model: str | Path) -> float:
        return run_zero_shot(str(model), load(model), data, templates, progress).score.top1

    alone = {model: accuracy(model) for model in dict.fromkeys(models)}
    best, *others = sorted(alone, key=lambda model: -alone[model])
    kept, reached = [best], alone[best]
    with tempfile.TemporaryDirectory(prefix="seesay-") as place:
        for number, model in enumerate(others):
            tried = [*kept, model]
            mean = blend(tried, [1 / len(tried)] * len(tried), Path(place) / f"{number}").folder
            if (now := accuracy(mean)) >= reached:
                kept, reached = tried, now
    return Soup(tuple(kept), reached, alone)
