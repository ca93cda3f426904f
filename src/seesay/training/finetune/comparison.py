"""A fine-tuned model beside the one that it began from: on the held-out pictures, and on pictures of other things."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from seesay.evaluation.bootstrap import mean_intervals
from seesay.evaluation.datasets import Labels, read_captions, read_labels
from seesay.evaluation.features import picture_features
from seesay.evaluation.head import Head
from seesay.evaluation.runs import RetrievalRun, run_retrieval, run_zero_shot
from seesay.library.strangers import stranger_vectors
from seesay.model import Model
from seesay.system.progress import NamedProgress
from seesay.tasks.prompts import TEMPLATES, imagenet_classes, label_embeddings
from seesay.training.finetune.anchors import MEASURING

Bounds = tuple[float, float]


@dataclass(frozen=True)
class Score:
    """One score of both models, 0 to 1, with 95 % intervals; difference: after - before, resampled with the same pictures."""

    name: str
    before: float
    after: float
    before_bounds: Bounds
    after_bounds: Bounds
    difference_bounds: Bounds

    @classmethod
    def of(cls, name: str, before: np.ndarray, after: np.ndarray, picture: np.ndarray | None = None) -> "Score":
        """From hits (N,) of the same queries; picture (N,): the number of each query's picture."""
        before, after = before.astype(np.float64), after.astype(np.float64)
        stacked = np.stack([before, after, after - before], axis=1)
        bounds = [(float(low), float(high)) for low, high in mean_intervals(stacked, picture)]
        return cls(name, float(before.mean()), float(after.mean()), *bounds)


@dataclass(frozen=True)
class Change:
    """A held-out picture whose answer changed between right and wrong."""

    picture: Path | str
    right: str
    before: str
    after: str

    @property
    def improved(self) -> bool:
        """Whether it is right now."""
        return self.after == self.right


@dataclass(frozen=True)
class Comparison:
    """scores: on the held-out pictures. changes: of them, with labels. kept: on other things. failed: pictures left out."""

    scores: tuple[Score, ...]
    changes: tuple[Change, ...]
    kept: tuple[Score, ...]
    failed: dict[str, str]


def compare_labels(
    before: Model,
    after: Model,
    data: Labels,
    templates: Sequence[str],
    *,
    head: Head | None = None,
    progress: NamedProgress | None = None,
) -> tuple[tuple[Score, ...], tuple[Change, ...], dict[str, str]]:
    """Top-1 and top-5 of both on pictures with labels. head: classifies the vectors of `after`, instead of class names."""
    old = run_zero_shot("before", before, data, templates, progress)
    if head is None:
        new = run_zero_shot("after", after, data, templates, progress)
        ranks, predicted = new.score.ranks, new.score.predicted
    else:
        vectors = picture_features(after, data.images, progress=progress).vectors
        numbers = np.array([head.names.index(name) if name in head.names else -1 for name in data.names])
        probabilities = np.where(numbers >= 0, head.probabilities(vectors)[:, numbers], -1.0)
        own = probabilities[np.arange(len(probabilities)), old.data.labels][:, None]
        ranks, predicted = 1 + (probabilities > own).sum(axis=1), probabilities.argmax(axis=1)
    scores = tuple(Score.of(f"top-{k}", old.score.ranks <= k, ranks <= k) for k in (1, 5) if k == 1 or len(data.names) > 5)
    changed = np.flatnonzero((old.score.ranks == 1) != (ranks == 1)).tolist()
    names, truth, first = data.names, old.data.labels, old.score.predicted
    changes = tuple(Change(old.data.images[i], names[truth[i]], names[first[i]], names[predicted[i]]) for i in changed)
    return scores, changes, old.failed


def compare_captions(
    before: Model, after: Model, table: Path, progress: NamedProgress | None = None
) -> tuple[tuple[Score, ...], dict[str, str]]:
    """R@1 and R@5 both ways on pictures with captions."""
    captions = read_captions(table)
    old, new = (run_retrieval(name, model, captions, progress) for name, model in (("before", before), ("after", after)))
    return tuple(_retrieval_scores(old, new)), old.failed


def _retrieval_scores(old: RetrievalRun, new: RetrievalRun) -> list[Score]:
    titles = {"text_to_image": "text to image", "image_to_text": "image to text"}
    both = {title: (old.retrieval.directions[way], new.retrieval.directions[way]) for way, title in titles.items()}
    return [
        Score.of(f"{title} R@{k}", first.ranks <= k, second.ranks <= k, first.picture)
        for title, (first, second) in both.items()
        for k in (1, 5)
    ]


def compare_kept(before: Model, after: Model, table: Path | None, progress: NamedProgress | None = None) -> tuple[Score, ...]:
    """What is left of other knowledge: top-1 on the user's table of other pictures with labels; and on the half of the
    everyday pictures of SeeSay that anchor no fine-tuning, how often both name the same of ImageNet's 1,000 classes first
    (before: 1 by definition)."""
    scores = []
    if table is not None:
        own, _, _ = compare_labels(before, after, read_labels(table), TEMPLATES, progress=progress)
        scores.append(replace(own[0], name=f"top-1 on {table.name}"))
    answers = [_answers(model) for model in (before, after)]
    same = (answers[0] == answers[1]).astype(np.float64)
    scores.append(Score.of("the same answer for everyday pictures", np.ones(len(same)), same))
    return tuple(scores)


def _answers(model: Model) -> np.ndarray:
    """(72,) numbers of the classes that fit the everyday pictures best."""
    classes = label_embeddings(model, imagenet_classes(), ("a photo of a {}.",))
    return np.asarray((stranger_vectors(model)[MEASURING] @ classes.T).argmax(axis=1))
