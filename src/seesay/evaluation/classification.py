"""Scores of classification: top-1, top-5, recall per class, confusion matrix."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from seesay.errors import InputError
from seesay.evaluation.retrieval import ranks

TOP = (1, 5)


@dataclass(frozen=True)
class Classification:
    """Right and predicted classes of N pictures among C classes, and the scores that follow from them."""

    labels: np.ndarray  # (N,) int64, right classes
    predicted: np.ndarray  # (N,) int64, classes with the best score
    ranks: np.ndarray  # (N,) int64, rank of the right class, from 1
    names: tuple[str, ...]  # (C,)

    @property
    def top1(self) -> float:
        """Share of pictures whose right class ranks first."""
        return float(np.mean(self.ranks <= 1))

    @property
    def top5(self) -> float:
        """Share of pictures whose right class is among the first five; 1 with fewer classes."""
        return float(np.mean(self.ranks <= 5))

    @property
    def means(self) -> dict[str, float]:
        """The three means over pictures or classes, by the names that JSON has."""
        return {"top1": self.top1, "top5": self.top5, "mean_per_class_recall": self.mean_per_class_recall}

    @property
    def hits(self) -> np.ndarray:
        """(N, 2) float64 of 0 and 1, whose means are top1 and top5."""
        return np.asarray(self.ranks[:, None] <= np.array(TOP), dtype=np.float64)

    @cached_property
    def counts(self) -> np.ndarray:
        """(C,) number of pictures of each class."""
        return np.bincount(self.labels, minlength=len(self.names))

    @cached_property
    def recall(self) -> np.ndarray:
        """(C,) share of each class's pictures that are predicted right; NaN for a class without pictures."""
        return self.recall_of(np.ones(len(self.labels)))

    @property
    def mean_per_class_recall(self) -> float:
        """The mean recall of the classes that have pictures, each with the same weight."""
        return float(np.nanmean(self.recall))

    @cached_property
    def confusion(self) -> np.ndarray:
        """(C, C) int64: pictures of the row's class that are predicted as the column's."""
        size = len(self.names)
        return np.bincount(self.labels * size + self.predicted, minlength=size * size).reshape(size, size)

    def confused(self, most: int = 20) -> list[tuple[str, str, int]]:
        """The `most` commonest mistakes: (right class, predicted class, pictures)."""
        wrong = self.labels != self.predicted
        pairs, counts = np.unique(np.stack([self.labels[wrong], self.predicted[wrong]]), axis=1, return_counts=True)
        order = np.argsort(-counts, kind="stable")[:most]
        return [(self.names[pairs[0, i]], self.names[pairs[1, i]], int(counts[i])) for i in order]

    def recall_of(self, times: np.ndarray) -> np.ndarray:
        """`recall` with picture i counted `times[i]` times: (N,) -> (C,)."""
        size = len(self.names)
        with np.errstate(invalid="ignore"):
            right = np.bincount(self.labels, weights=times * (self.ranks == 1), minlength=size)
            return np.asarray(right / np.bincount(self.labels, weights=times, minlength=size))


def score_classification(scores: np.ndarray, labels: np.ndarray, names: Sequence[str]) -> Classification:
    """Scores (N, C), higher is likelier, and right classes (N,) -> their classification. Equal scores rank in order of class.

    Raises InputError, also for NaN.
    """
    count = (len(labels), len(names))
    if scores.shape != count or not len(labels) or labels.min() < 0 or labels.max() >= len(names):
        raise InputError(f"expected scores (N, C) with labels (N,) of 0..C-1, got {scores.shape} for {count}")
    if np.isnan(scores).any():
        raise InputError("expected scores that are numbers, got NaN: the model that made them is broken")
    return Classification(np.asarray(labels), scores.argmax(axis=1), ranks(scores, labels), tuple(names))
