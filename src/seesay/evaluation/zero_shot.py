"""Classification scored: top-1, top-5, recall per class, which classes are taken for which."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from seesay.errors import InputError
from seesay.evaluation.retrieval import ranks
from seesay.system.paths import printable
from seesay.tasks.prompts import SETS, named_templates

TOP = (1, 5)


@dataclass(frozen=True)
class Classification:
    """What became of N pictures among C classes."""

    labels: np.ndarray  # (N,) int64, right classes
    predicted: np.ndarray  # (N,) int64, the class with the best score
    ranks: np.ndarray  # (N,) int64, place of the right class, from 1
    names: tuple[str, ...]  # (C,)

    @property
    def top1(self) -> float:
        return float(np.mean(self.ranks <= 1))

    @property
    def top5(self) -> float:
        """Over all classes where there are fewer than five, so 1."""
        return float(np.mean(self.ranks <= 5))

    @property
    def hits(self) -> np.ndarray:
        """(N, 2) of 0 and 1; the means are top1 and top5."""
        return np.asarray(self.ranks[:, None] <= np.array(TOP), dtype=np.float64)

    @cached_property
    def counts(self) -> np.ndarray:
        """(C,) pictures of each class."""
        return np.bincount(self.labels, minlength=len(self.names))

    @cached_property
    def recall(self) -> np.ndarray:
        """(C,) share of each class's pictures that are right; NaN where there are none."""
        return self.recall_of(np.ones(len(self.labels)))

    @property
    def mean_per_class_recall(self) -> float:
        """Over the classes that have pictures, each counting the same."""
        return float(np.nanmean(self.recall))

    @cached_property
    def confusion(self) -> np.ndarray:
        """(C, C) int64: pictures of the row's class that were taken for the column's."""
        size = len(self.names)
        return np.bincount(self.labels * size + self.predicted, minlength=size * size).reshape(size, size)

    def confused(self, most: int = 20) -> list[tuple[str, str, int]]:
        """The commonest mistakes: right class, class said, pictures."""
        wrong = self.labels != self.predicted
        pairs, counts = np.unique(np.stack([self.labels[wrong], self.predicted[wrong]]), axis=1, return_counts=True)
        order = np.argsort(-counts, kind="stable")[:most]
        return [(self.names[pairs[0, i]], self.names[pairs[1, i]], int(counts[i])) for i in order]

    def recall_of(self, times: np.ndarray) -> np.ndarray:
        """`recall` where picture i counts `times[i]` times (N,) -> (C,)."""
        size = len(self.names)
        with np.errstate(invalid="ignore"):
            right = np.bincount(self.labels, weights=times * (self.ranks == 1), minlength=size)
            return np.asarray(right / np.bincount(self.labels, weights=times, minlength=size))


def classified(scores: np.ndarray, labels: np.ndarray, names: Sequence[str]) -> Classification:
    """Scores (N, C), higher is likelier, and right classes (N,). Equal scores rank in order of class. Raises InputError."""
    count = (len(labels), len(names))
    if scores.shape != count or not len(labels) or labels.min() < 0 or labels.max() >= len(names):
        raise InputError(f"expected scores (N, C) with labels (N,) of 0..C-1, got {scores.shape} for {count}")
    if np.isnan(scores).any():
        raise InputError("expected scores that are numbers, got NaN: the model that made them is broken")
    return Classification(np.asarray(labels), scores.argmax(axis=1), ranks(scores, labels), tuple(names))


def read_templates(given: str, language: str = "en") -> tuple[str, ...]:
    """A named set of `tasks.prompts`, or a file: .txt with one template a line, .json with a list. Raises InputError."""
    if given in SETS:
        return named_templates(given, language)
    file = Path(given)
    if file.suffix.lower() not in (".txt", ".json"):
        raise InputError(f"templates are {', '.join(SETS)}, or a .txt or .json file of your own; got {given!r}")
    try:
        text = file.read_text(encoding="utf-8-sig")
        found = json.loads(text) if file.suffix.lower() == ".json" else [line for line in text.splitlines() if line.strip()]
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{printable(file)} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if not isinstance(found, list) or not found or not all(isinstance(line, str) for line in found):
        raise InputError(f"{printable(file)}: expected a list of templates, such as 'a photo of a {{}}.'")
    return tuple(found)
