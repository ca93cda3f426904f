"""Measures one model on one dataset: vectors, scores and their intervals, which `seesay eval` prints."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from seesay.evaluation.bootstrap import intervals, mean_intervals
from seesay.evaluation.classification import Classification, score_classification
from seesay.evaluation.corruptions import Corrupt
from seesay.evaluation.datasets import Captions, Labels
from seesay.evaluation.features import picture_features, text_features
from seesay.evaluation.linear_probe import LinearProbe, linear_probe
from seesay.evaluation.retrieval import Retrieval, recalls
from seesay.model import Model
from seesay.system.progress import NamedProgress
from seesay.tasks.prompts import ensemble, filled

MATRIX_CLASSES = 100  # up to here JSON holds the whole confusion matrix


@dataclass(frozen=True)
class MeasuredModel:
    """A model by the name that the caller used for it, and by its two identities."""

    name: str
    space_id: str
    build_id: str

    @classmethod
    def of(cls, name: str, model: Model) -> "MeasuredModel":
        """The record of a model that the caller calls `name`."""
        return cls(name, model.space_id, model.build_id)


@dataclass(frozen=True, kw_only=True)
class Run:
    """One model measured on one dataset."""

    model: MeasuredModel
    failed: dict[str, str]  # picture -> why it was left out
    notes: tuple[str, ...]

    def scores(self) -> dict[str, Any]:
        """The scores as JSON."""
        raise NotImplementedError

    def to_json(self) -> dict[str, Any]:
        """Scores, identity of the model, and pictures that were left out."""
        identity = {"model": self.model.name, "space_id": self.model.space_id, "build_id": self.model.build_id}
        return {**self.scores(), **identity, "failed": [{"path": p, "reason": r} for p, r in self.failed.items()]}


@dataclass(frozen=True, kw_only=True)
class RetrievalRun(Run):
    """Search in both directions."""

    captions: Captions  # of the pictures that could be read
    images: np.ndarray  # (I, D) float32
    texts: np.ndarray  # (T, D) float32
    retrieval: Retrieval

    def scores(self) -> dict[str, Any]:
        ways = self.retrieval.directions
        return {
            **{name: _rounded(direction.recall) for name, direction in ways.items()},
            "median_rank": {name: direction.median_rank for name, direction in ways.items()},
            "intervals": {name: {k: _pair(b) for k, b in direction.bounds.items()} for name, direction in ways.items()},
            "pictures": len(self.captions.images),
            "texts": len(self.captions.texts),
            "language": self.captions.language,
            "split": self.captions.split,
        }


@dataclass(frozen=True, kw_only=True)
class ClassificationRun(Run):
    """Classification by names (zero-shot), with the templates around them."""

    data: Labels
    score: Classification
    bounds: dict[str, tuple[float, float]]  # "top1", "top5", "mean_per_class_recall" -> interval
    templates: tuple[str, ...] = ()

    def scores(self) -> dict[str, Any]:
        score = self.score
        small = len(score.names) <= MATRIX_CLASSES
        return {
            **with_intervals(score.means, self.bounds),
            "pictures": len(score.labels),
            "classes": len(score.names),
            "split": self.data.split,
            **({"templates": list(self.templates)} if self.templates else {}),
            "per_class": [
                {"name": name, "pictures": int(count), "recall": round(float(recall), 6) if count else None}
                for name, count, recall in zip(score.names, score.counts, score.recall, strict=True)
            ],
            "confused": [{"name": a, "taken_for": b, "pictures": n} for a, b, n in score.confused()],
            "confusion": score.confusion.tolist() if small else None,
        }


@dataclass(frozen=True, kw_only=True)
class ProbeRun(ClassificationRun):
    """Classification by a linear probe."""

    probe: LinearProbe
    shots: int | None = None

    def scores(self) -> dict[str, Any]:
        return {
            **super().scores(),
            "c": self.probe.c,
            "sweep": [{"c": c, "accuracy": round(accuracy, 6)} for c, accuracy in self.probe.sweep.items()],
            "train_pictures": len(self.probe.train),
            "shots": self.shots,
        }


@dataclass(frozen=True)
class Degree:
    """Scores under one corruption at one severity, with their intervals."""

    corruption: str
    severity: int
    scores: dict[str, float]
    bounds: dict[str, tuple[float, float]]


@dataclass(frozen=True, kw_only=True)
class RobustnessRun(Run):
    """Scores under corruptions."""

    pictures: int
    clean: Degree  # severity 0
    degrees: tuple[Degree, ...]

    @property
    def mean(self) -> dict[str, float]:
        """Each score's mean over all corruptions and severities."""
        return {name: float(np.mean([degree.scores[name] for degree in self.degrees])) for name in self.clean.scores}

    @property
    def by_corruption(self) -> dict[str, list[Degree]]:
        """The degrees of each corruption, in order."""
        by_name: dict[str, list[Degree]] = {}
        for degree in self.degrees:
            by_name.setdefault(degree.corruption, []).append(degree)
        return by_name

    def scores(self) -> dict[str, Any]:
        corruptions = {
            name: [{"severity": degree.severity, **with_intervals(degree.scores, degree.bounds)} for degree in degrees]
            for name, degrees in self.by_corruption.items()
        }
        return {
            "clean": with_intervals(self.clean.scores, self.clean.bounds),
            "mean": _rounded(self.mean),
            "corruptions": corruptions,
            "pictures": self.pictures,
        }


def run_retrieval(name: str, model: Model, captions: Captions, progress: NamedProgress | None = None) -> RetrievalRun:
    """Recall in both directions. Raises InputError where no picture can be read."""
    pictures = picture_features(model, captions.images, progress=progress)
    captions = captions.only(pictures.readable)
    texts = text_features(model, captions.texts, progress=progress)
    return RetrievalRun(
        model=MeasuredModel.of(name, model),
        failed=pictures.failed,
        notes=truncation_note(model, texts.truncated, len(captions.texts)),
        captions=captions,
        images=pictures.vectors,
        texts=texts.vectors,
        retrieval=recalls(pictures.vectors, texts.vectors, captions.owner),
    )


def run_zero_shot(
    name: str, model: Model, data: Labels, templates: Sequence[str], progress: NamedProgress | None = None
) -> ClassificationRun:
    """Classification by the classes' names. Raises InputError where no picture can be read."""
    pictures = picture_features(model, data.images, progress=progress)
    data = data.only(pictures.readable)
    classes = _class_vectors(model, data.names, templates, progress)
    score = score_classification(pictures.vectors @ classes.vectors.T, data.labels, data.names)
    return ClassificationRun(
        model=MeasuredModel.of(name, model),
        failed=pictures.failed,
        notes=truncation_note(model, classes.truncated, classes.texts),
        data=data,
        score=score,
        bounds=_bounds(score),
        templates=tuple(templates),
    )


def run_linear_probe(
    name: str,
    model: Model,
    train: Labels,
    data: Labels,
    *,
    shots: int | None = None,
    seed: int = 0,
    progress: NamedProgress | None = None,
) -> ProbeRun:
    """`train` and `data` have the same names (`datasets.with_same_names`)."""
    training, test = (picture_features(model, part.images, progress=progress) for part in (train, data))
    train, data = train.only(training.readable), data.only(test.readable)
    probe = linear_probe(
        training.vectors, train.labels, test.vectors, data.labels, data.names, shots=shots, seed=seed, progress=progress
    )
    unseen = sorted(set(data.labels.tolist()) - set(train.labels.tolist()))
    notes = []
    if unseen:
        example = data.names[unseen[0]]
        notes.append(f"{len(unseen)} classes have no training pictures and are always wrong, such as {example!r}")
    return ProbeRun(
        model=MeasuredModel.of(name, model),
        failed=training.failed | test.failed,
        notes=tuple(notes),
        data=data,
        score=probe.score,
        bounds=_bounds(probe.score),
        probe=probe,
        shots=shots,
    )


def run_robustness(
    name: str,
    model: Model,
    data: Captions | Labels,
    corruptions: Sequence[str],
    severities: Sequence[int],
    *,
    templates: Sequence[str],
    seed: int = 0,
    progress: NamedProgress | None = None,
) -> RobustnessRun:
    """Top-1 of labels, or recall at 1 of captions, on the pictures as they are and under each corruption."""
    pictures = picture_features(model, data.images, progress=progress)
    readable = data.only(pictures.readable)
    if isinstance(readable, Captions):
        texts = text_features(model, readable.texts, progress=progress)
        score = _recall_at_1(texts.vectors, readable.owner)
        notes = truncation_note(model, texts.truncated, len(readable.texts))
    else:
        classes = _class_vectors(model, readable.names, templates, progress)
        score = _top_1(classes.vectors, readable)
        notes = truncation_note(model, classes.truncated, classes.texts)
    clean = Degree("clean", 0, *score(pictures.vectors))
    degrees = []
    for corruption in corruptions:
        for severity in severities:
            alter = Corrupt(corruption, severity, shorter_px=model.image_spec.resize_px, seed=seed)
            shown = _renamed(progress, f"pictures, {corruption} {severity}")
            worse = picture_features(model, readable.images, alter=alter, variant=alter.variant, progress=shown)
            degrees.append(Degree(corruption, severity, *score(worse.vectors)))
    return RobustnessRun(
        model=MeasuredModel.of(name, model),
        failed=pictures.failed,
        notes=notes,
        pictures=len(readable.images),
        clean=clean,
        degrees=tuple(degrees),
    )


class _Scores(NamedTuple):
    """Scores by name, and the interval of each."""

    scores: dict[str, float]
    bounds: dict[str, tuple[float, float]]


_ScoreVectors = Callable[[np.ndarray], _Scores]  # the pictures' vectors (N, D) -> scores


def _recall_at_1(texts: np.ndarray, owner: np.ndarray) -> _ScoreVectors:
    def score(vectors: np.ndarray) -> _Scores:
        directions = recalls(vectors, texts, owner, ks=[1]).directions
        return _Scores(
            {f"{name} R@1": direction.recall["R@1"] for name, direction in directions.items()},
            {f"{name} R@1": direction.bounds["R@1"] for name, direction in directions.items()},
        )

    return score


def _top_1(classes: np.ndarray, data: Labels) -> _ScoreVectors:
    def score(vectors: np.ndarray) -> _Scores:
        classification = score_classification(vectors @ classes.T, data.labels, data.names)
        return _Scores({"top1": classification.top1}, {"top1": _interval(mean_intervals(classification.hits[:, :1])[0])})

    return score


class _ClassVectors(NamedTuple):
    """vectors (C, D), one per class. texts: prompts that they are made of. truncated: how many of these are cut."""

    vectors: np.ndarray
    texts: int
    truncated: int


def _class_vectors(
    model: Model, names: Sequence[str], templates: Sequence[str], progress: NamedProgress | None
) -> _ClassVectors:
    prompts = text_features(model, filled(names, templates), progress=progress)
    return _ClassVectors(ensemble(prompts.vectors, len(names)), len(prompts.vectors), prompts.truncated)


def _bounds(score: Classification) -> dict[str, tuple[float, float]]:
    top1, top5 = mean_intervals(score.hits)
    (mean,) = intervals(lambda times: np.nanmean(score.recall_of(times), keepdims=True), len(score.labels))
    return {"top1": _interval(top1), "top5": _interval(top5), "mean_per_class_recall": _interval(mean)}


def truncation_note(model: Model, truncated: int, texts: int) -> tuple[str, ...]:
    """A note on texts that are longer than the model's context; none where there are none."""
    if not truncated:
        return ()
    return (f"{truncated} of {texts} texts are longer than {model.tokenizer.spec.context_length} tokens and lost their end",)


def _renamed(progress: NamedProgress | None, what: str) -> NamedProgress | None:
    if progress is None:
        return None
    return lambda _, done, total: progress(what, done, total)


def with_intervals(scores: dict[str, float], bounds: dict[str, tuple[float, float]]) -> dict[str, Any]:
    """Scores and, behind them, their intervals, as JSON has both."""
    return {**_rounded(scores), "intervals": {name: _pair(bound) for name, bound in bounds.items()}}


def _rounded(scores: dict[str, float]) -> dict[str, float]:
    return {name: round(score, 6) for name, score in scores.items()}


def _interval(bound: np.ndarray) -> tuple[float, float]:
    return float(bound[0]), float(bound[1])


def _pair(bound: tuple[float, float]) -> list[float]:
    return [round(bound[0], 6), round(bound[1], 6)]
