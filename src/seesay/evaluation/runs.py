"""One model over one dataset: vectors, scores, intervals. What `seesay eval` prints, and what a report is made of."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from seesay.evaluation.bootstrap import intervals, of_means
from seesay.evaluation.corruptions import Corrupt
from seesay.evaluation.datasets import Captions, Labels
from seesay.evaluation.features import picture_features, text_features
from seesay.evaluation.linear_probe import LinearProbe, linear_probe
from seesay.evaluation.retrieval import Retrieval, recalls
from seesay.evaluation.zero_shot import Classification, classified
from seesay.model import Model
from seesay.system.progress import NamedProgress
from seesay.tasks.prompts import ensemble, filled

MATRIX_CLASSES = 100  # up to here JSON holds the whole confusion matrix


@dataclass(frozen=True)
class Run:
    """What every command says of a model. `name` is what the caller named it."""

    name: str
    space_id: str
    build_id: str
    failed: dict[str, str]  # picture -> why it was left out
    notes: tuple[str, ...]

    def scores(self) -> dict[str, Any]:
        """As JSON."""
        raise NotImplementedError

    def to_json(self) -> dict[str, Any]:
        identity = {"model": self.name, "space_id": self.space_id, "build_id": self.build_id}
        return {**self.scores(), **identity, "failed": [{"path": p, "reason": r} for p, r in self.failed.items()]}


@dataclass(frozen=True)
class RetrievalRun(Run):
    captions: Captions  # of the pictures that could be read
    images: np.ndarray  # (I, D) float32
    texts: np.ndarray  # (T, D) float32
    found: Retrieval

    def scores(self) -> dict[str, Any]:
        ways = self.found.directions
        return {
            **{name: _rounded(direction.recall) for name, direction in ways.items()},
            "median_rank": {name: direction.median_rank for name, direction in ways.items()},
            "intervals": {name: {k: _pair(b) for k, b in direction.bounds.items()} for name, direction in ways.items()},
            "pictures": len(self.captions.images),
            "texts": len(self.captions.texts),
            "language": self.captions.language,
            "split": self.captions.split,
        }


@dataclass(frozen=True)
class ClassificationRun(Run):
    data: Labels
    score: Classification
    bounds: dict[str, tuple[float, float]]  # "top1", "top5", "mean_per_class_recall" -> interval
    templates: tuple[str, ...] = ()

    def scores(self) -> dict[str, Any]:
        score = self.score
        small = len(score.names) <= MATRIX_CLASSES
        return {
            "top1": round(score.top1, 6),
            "top5": round(score.top5, 6),
            "mean_per_class_recall": round(score.mean_per_class_recall, 6),
            "intervals": {name: _pair(bound) for name, bound in self.bounds.items()},
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


@dataclass(frozen=True)
class ProbeRun(ClassificationRun):
    probe: LinearProbe | None = None
    shots: int | None = None

    def scores(self) -> dict[str, Any]:
        probe = self.probe
        assert probe is not None
        return {
            **super().scores(),
            "c": probe.c,
            "sweep": [{"c": c, "accuracy": round(accuracy, 6)} for c, accuracy in probe.sweep.items()],
            "train_pictures": len(probe.train),
            "shots": self.shots,
        }


@dataclass(frozen=True)
class Degree:
    """Scores under one corruption at one severity; `bounds` are their intervals."""

    corruption: str
    severity: int
    scores: dict[str, float]
    bounds: dict[str, tuple[float, float]]


@dataclass(frozen=True)
class RobustnessRun(Run):
    pictures: int
    clean: Degree  # severity 0
    degrees: tuple[Degree, ...]

    @property
    def mean(self) -> dict[str, float]:
        """Over all corruptions and severities."""
        return {name: float(np.mean([degree.scores[name] for degree in self.degrees])) for name in self.clean.scores}

    def scores(self) -> dict[str, Any]:
        by_name: dict[str, list[dict[str, Any]]] = {}
        for degree in self.degrees:
            by_name.setdefault(degree.corruption, []).append({"severity": degree.severity, **_degree(degree)})
        return {"clean": _degree(self.clean), "mean": _rounded(self.mean), "corruptions": by_name, "pictures": self.pictures}


def run_retrieval(name: str, model: Model, captions: Captions, progress: NamedProgress | None = None) -> RetrievalRun:
    pictures = picture_features(model, captions.images, progress=progress)
    captions = captions.only(pictures.kept)
    texts = text_features(model, captions.texts, progress=progress)
    found = recalls(pictures.vectors, texts.vectors, captions.owner)
    return RetrievalRun(
        *_identity(name, model, pictures.failed, texts.truncated, len(captions.texts)),
        captions=captions,
        images=pictures.vectors,
        texts=texts.vectors,
        found=found,
    )


def run_zero_shot(
    name: str, model: Model, data: Labels, templates: Sequence[str], progress: NamedProgress | None = None
) -> ClassificationRun:
    pictures = picture_features(model, data.images, progress=progress)
    data = data.only(pictures.kept)
    classes, truncated = _classes(model, data.names, templates, progress)
    score = classified(pictures.vectors @ classes.T, data.labels, data.names)
    identity = _identity(name, model, pictures.failed, truncated, len(data.names) * len(templates))
    return ClassificationRun(*identity, data=data, score=score, bounds=_bounds(score), templates=tuple(templates))


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
    """Both with one list of names (`datasets.aligned`)."""
    known, asked = (picture_features(model, part.images, progress=progress) for part in (train, data))
    train, data = train.only(known.kept), data.only(asked.kept)
    probe = linear_probe(
        known.vectors, train.labels, asked.vectors, data.labels, data.names, shots=shots, seed=seed, progress=progress
    )
    unseen = sorted(set(data.labels.tolist()) - set(train.labels.tolist()))
    notes = []
    if unseen:
        example = data.names[unseen[0]]
        notes.append(f"{len(unseen)} classes have no training pictures and are always wrong, such as {example!r}")
    return ProbeRun(
        name,
        model.space_id,
        model.build_id,
        known.failed | asked.failed,
        tuple(notes),
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
    """Top-1 of labels, or recall at 1 of captions, of the pictures as they are and made worse in each way."""
    pictures = picture_features(model, data.images, progress=progress)
    kept = data.only(pictures.kept)
    if isinstance(kept, Captions):
        texts = text_features(model, kept.texts, progress=progress)
        truncated, asked, scored = texts.truncated, len(kept.texts), _recall_at_1(texts.vectors, kept.owner)
    else:
        classes, truncated = _classes(model, kept.names, templates, progress)
        asked, scored = len(kept.names) * len(templates), _top_1(classes, kept)
    clean = Degree("clean", 0, *scored(pictures.vectors))
    degrees = []
    for corruption in corruptions:
        for severity in severities:
            alter = Corrupt(corruption, severity, shorter_px=model.image_spec.resize_px, seed=seed)
            shown = _named(progress, f"pictures, {corruption} {severity}")
            worse = picture_features(model, kept.images, alter=alter, variant=alter.variant, progress=shown)
            degrees.append(Degree(corruption, severity, *scored(worse.vectors)))
    identity = _identity(name, model, pictures.failed, truncated, asked)
    return RobustnessRun(*identity, pictures=len(kept.images), clean=clean, degrees=tuple(degrees))


Scored = Callable[[np.ndarray], tuple[dict[str, float], dict[str, tuple[float, float]]]]  # vectors -> scores, intervals


def _recall_at_1(texts: np.ndarray, owner: np.ndarray) -> Scored:
    def scored(vectors: np.ndarray) -> tuple[dict[str, float], dict[str, tuple[float, float]]]:
        found = recalls(vectors, texts, owner, ks=[1])
        ways = {f"{name} R@1": way for name, way in found.directions.items()}
        return {name: way.recall["R@1"] for name, way in ways.items()}, {name: way.bounds["R@1"] for name, way in ways.items()}

    return scored


def _top_1(classes: np.ndarray, data: Labels) -> Scored:
    def scored(vectors: np.ndarray) -> tuple[dict[str, float], dict[str, tuple[float, float]]]:
        score = classified(vectors @ classes.T, data.labels, data.names)
        return {"top1": score.top1}, {"top1": _tuple(of_means(score.hits[:, :1])[0])}

    return scored


def _classes(
    model: Model, names: Sequence[str], templates: Sequence[str], progress: NamedProgress | None
) -> tuple[np.ndarray, int]:
    """One vector per name (C, D), and how many prompts were too long."""
    prompts = text_features(model, filled(names, templates), progress=progress)
    return ensemble(prompts.vectors, len(names)), prompts.truncated


def _bounds(score: Classification) -> dict[str, tuple[float, float]]:
    top1, top5 = of_means(score.hits)
    (mean,) = intervals(lambda times: np.nanmean(score.recall_of(times), keepdims=True), len(score.labels))
    return {"top1": _tuple(top1), "top5": _tuple(top5), "mean_per_class_recall": _tuple(mean)}


def _identity(
    name: str, model: Model, failed: dict[str, str], truncated: int, texts: int
) -> tuple[str, str, str, dict[str, str], tuple[str, ...]]:
    notes: tuple[str, ...] = ()
    if truncated:
        notes = (
            f"{truncated} of {texts} texts are longer than {model.tokenizer.spec.context_length} tokens and lost their end",
        )
    return name, model.space_id, model.build_id, failed, notes


def _named(progress: NamedProgress | None, what: str) -> NamedProgress | None:
    if progress is None:
        return None
    return lambda _, done, total: progress(what, done, total)


def _degree(degree: Degree) -> dict[str, Any]:
    return {**_rounded(degree.scores), "intervals": {name: _pair(bound) for name, bound in degree.bounds.items()}}


def _rounded(scores: dict[str, float]) -> dict[str, float]:
    return {name: round(score, 6) for name, score in scores.items()}


def _tuple(bound: np.ndarray) -> tuple[float, float]:
    return float(bound[0]), float(bound[1])


def _pair(bound: tuple[float, float]) -> list[float]:
    return [round(bound[0], 6), round(bound[1], 6)]
