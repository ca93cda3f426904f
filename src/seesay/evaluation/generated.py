"""Measures generated pictures with one model: with their prompts, after an edit, and as one set beside another."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from seesay.errors import InputError
from seesay.evaluation.aesthetics import AestheticHead
from seesay.evaluation.bootstrap import mean_intervals
from seesay.evaluation.clip_score import clip_scores, cosines, hundred, reference_scores
from seesay.evaluation.directional_similarity import directional_similarity
from seesay.evaluation.distances import Cmmd, Frechet, cmmd, frechet
from seesay.evaluation.features import picture_features, text_features
from seesay.evaluation.prompts import Edits, Prompts
from seesay.evaluation.runs import MeasuredModel, Run, truncation_note, with_intervals
from seesay.model import Model
from seesay.system.progress import NamedProgress

Bound = tuple[float, float]
# Pictures on a side. What chance gives CMMD falls as 1 / N, and is 0.04 with 500 (docs/benchmarks.md): with 10 about as much as
# another data set differs, with 50 as little as a slight blur.
FEW = 50


@dataclass(frozen=True, kw_only=True)
class PromptRun(Run):
    """Pictures with their prompts. Per prompt (T,): cosine, clip_score, reference_score (NaN without references); per picture
    (I,): aesthetic, or None without a head. means and bounds: by the names that JSON has; one picture has no bounds."""

    data: Prompts  # of the pictures that could be read
    prefix: str
    cosine: np.ndarray
    clip_score: np.ndarray
    reference_score: np.ndarray
    aesthetic: np.ndarray | None
    means: dict[str, float]
    bounds: dict[str, Bound]

    def scores(self) -> dict[str, Any]:
        each = []
        for at, owner in enumerate(self.data.owner):
            entry: dict[str, Any] = {"path": str(self.data.images[owner]), "prompt": self.data.texts[at]}
            entry |= {"cosine": _rounded(self.cosine[at]), "clipscore": _rounded(self.clip_score[at])}
            entry |= {"refclipscore": _rounded(self.reference_score[at])} if self.data.references[at] else {}
            each.append(entry | ({} if self.aesthetic is None else {"aesthetic": _rounded(self.aesthetic[owner])}))
        return {
            **with_intervals(self.means, self.bounds),
            "pictures": len(self.data.images),
            "prompts": len(self.data.texts),
            "prefix": self.prefix,
            "language": self.data.language,
            "split": self.data.split,
            "per_picture": each,
        }


@dataclass(frozen=True, kw_only=True)
class EditRun(Run):
    """Edited pictures. direction (N,): directional similarity, NaN where nothing changed; kept (N,): the cosine of the picture
    before with that after."""

    data: Edits
    direction: np.ndarray
    kept: np.ndarray
    means: dict[str, float]
    bounds: dict[str, Bound]

    def scores(self) -> dict[str, Any]:
        d = self.data
        rows = zip(d.before, d.after, d.source, d.target, self.direction, self.kept, strict=True)
        return {
            **with_intervals(self.means, self.bounds),
            "edits": len(d.before),
            "unchanged": int(np.isnan(self.direction).sum()),
            "split": d.split,
            "per_edit": [
                {
                    "before": str(before),
                    "after": str(after),
                    "source": source,
                    "target": target,
                    "direction": None if np.isnan(direction) else _rounded(direction),
                    "kept": _rounded(kept),
                }
                for before, after, source, target, direction, kept in rows
            ],
        }


@dataclass(frozen=True, kw_only=True)
class DistanceRun(Run):
    """Two sets of pictures beside each other. pictures: how many of each were read."""

    pictures: tuple[int, int]
    cmmd: Cmmd
    frechet: Frechet

    def scores(self) -> dict[str, Any]:
        return {
            "cmmd": _rounded(self.cmmd.value),
            "cmmd_unbiased": _rounded(self.cmmd.unbiased),
            "frechet": _rounded(self.frechet.value),
            "chance": {
                "cmmd": _rounded(self.cmmd.chance),
                "cmmd_95": _rounded(self.cmmd.chance_95),
                "frechet": _rounded(self.frechet.chance),
            },
            "pictures": list(self.pictures),
        }


def run_prompts(
    name: str,
    model: Model,
    data: Prompts,
    *,
    prefix: str = "",
    head: AestheticHead | None = None,
    progress: NamedProgress | None = None,
) -> PromptRun:
    """CLIPScore of pictures with their prompts, RefCLIPScore where they have references, and a head's scores.

    prefix: put before each prompt and reference, as the paper's "A photo depicts ". Raises InputError where no picture can be
    read, or the head is of another width.
    """
    if head is not None:
        head.check(model.dim, name)
    pictures = picture_features(model, data.images, progress=progress)
    data = data.only(pictures.readable)
    spoken = [prefix + text for text in data.texts]
    references = [prefix + text for some in data.references for text in some]
    texts = text_features(model, [*spoken, *references], progress=progress)
    own, others = np.split(texts.vectors, [len(spoken)])
    shown = pictures.vectors[data.owner]
    each, reference_score = clip_scores(shown, own), _reference_scores(data, shown, own, others)
    aesthetic = None if head is None else head.scores(pictures.vectors)
    cosine = cosines(shown, own)
    means, bounds = _prompt_means(data, cosine, each, reference_score, aesthetic)
    return PromptRun(
        model=MeasuredModel.of(name, model),
        failed=pictures.failed,
        notes=truncation_note(model, texts.truncated, len(texts.vectors)),
        data=data,
        prefix=prefix,
        cosine=cosine,
        clip_score=each,
        reference_score=reference_score,
        aesthetic=aesthetic,
        means=means,
        bounds=bounds,
    )


def run_edits(name: str, model: Model, data: Edits, progress: NamedProgress | None = None) -> EditRun:
    """Directional similarity of edits; one whose picture before or after cannot be read is left out. Raises InputError."""
    images = tuple(dict.fromkeys((*data.before, *data.after)))
    pictures = picture_features(model, images, progress=progress)
    row = {images[number]: at for at, number in enumerate(pictures.readable)}
    pairs = zip(data.before, data.after, strict=True)
    kept = np.array([at for at, pair in enumerate(pairs) if set(pair) <= row.keys()], dtype=np.int64)
    if not len(kept):
        raise InputError("there is no edit of which both pictures can be read")
    data = data.only(kept)
    texts = text_features(model, [*data.source, *data.target], progress=progress)
    source, target = np.split(texts.vectors, 2)
    before, after = (pictures.vectors[[row[image] for image in some]] for some in (data.before, data.after))
    direction, same = directional_similarity(before, after, source, target), cosines(before, after)
    means, bounds = {"kept": float(same.mean())}, _bounds("kept", same)
    if len(defined := direction[~np.isnan(direction)]):
        means = {"direction": float(defined.mean()), **means}
        bounds = _bounds("direction", defined) | bounds
    return EditRun(
        model=MeasuredModel.of(name, model),
        failed=pictures.failed,
        notes=truncation_note(model, texts.truncated, len(texts.vectors)),
        data=data,
        direction=direction,
        kept=same,
        means=means,
        bounds=bounds,
    )


def run_distance(
    name: str,
    model: Model,
    first: Sequence[Path | str],
    second: Sequence[Path | str],
    progress: NamedProgress | None = None,
) -> DistanceRun:
    """CMMD and the Fréchet distance of two sets of pictures. Raises InputError for fewer than two readable ones on a side."""
    sides = [picture_features(model, each, progress=progress) for each in (first, second)]
    a, b = (side.vectors for side in sides)
    dim, least, notes = model.dim, min(len(a), len(b)), []
    found = cmmd(a, b)  # which refuses sets that are too small
    if least < FEW:
        notes.append(
            f"{least} pictures are too few for either distance, which says little then: compare it with what chance gives, and "
            f"take {FEW} or more on each side"
        )
    elif least <= dim:
        notes.append(
            f"{least} pictures are few for the Fréchet distance of vectors of {dim} dimensions, which is then too large; CMMD "
            "is less affected"
        )
    return DistanceRun(
        model=MeasuredModel.of(name, model),
        failed=sides[0].failed | sides[1].failed,
        notes=tuple(notes),
        pictures=(len(a), len(b)),
        cmmd=found,
        frechet=frechet(a, b),
    )


def _reference_scores(data: Prompts, pictures: np.ndarray, texts: np.ndarray, references: np.ndarray) -> np.ndarray:
    """RefCLIPScore of each prompt (T,), NaN where it has no references; these, (R, D), are those of all prompts in order."""
    found = np.full(len(texts), np.nan)
    if given := [at for at, some in enumerate(data.references) if some]:
        ends = np.cumsum([len(data.references[at]) for at in given])[:-1]
        found[given] = reference_scores(pictures[given], texts[given], np.split(references, ends))
    return found


def _prompt_means(
    data: Prompts, cosine: np.ndarray, each: np.ndarray, references: np.ndarray, aesthetic: np.ndarray | None
) -> tuple[dict[str, float], dict[str, Bound]]:
    """The means and their intervals; pictures are drawn with all their prompts."""
    means = {"clipscore": float(each.mean()), "clipscore_100": hundred(cosine)}
    hundreds = _bounds("clipscore_100", 100 * cosine, data.owner)
    bounds = _bounds("clipscore", each, data.owner) | {
        name: (max(low, 0.0), max(high, 0.0)) for name, (low, high) in hundreds.items()
    }
    if len(given := np.flatnonzero(~np.isnan(references))):
        means["refclipscore"] = float(references[given].mean())
        bounds |= _bounds("refclipscore", references[given], data.owner[given])
    if aesthetic is not None:
        means["aesthetic"] = float(aesthetic.mean())
        bounds |= _bounds("aesthetic", aesthetic)
    return means, bounds


def _bounds(name: str, values: np.ndarray, picture: np.ndarray | None = None) -> dict[str, Bound]:
    """The interval of a mean (Q,), by its name; nothing of one picture, which resampling cannot vary."""
    if len(values if picture is None else np.unique(picture)) < 2:
        return {}
    low, high = mean_intervals(values[:, None], picture)[0].tolist()
    return {name: (low, high)}


def _rounded(value: float) -> float:
    return round(float(value), 6)
