"""How near a library's pictures are to anything: what neutral phrases find in it, measured when it is indexed.

Some pictures are near to every query (hubs, Radovanovic et al. 2010). So each picture is compared with many neutral phrases
(neutral.txt) once, and two numbers are kept of it: the mean cosine with its nearest phrases, and the deviation over all of
them. A query's cosines are corrected by them into ranks,

    rank = (cosine - hub * mean of the nearest) / deviation ** spread

which are compared within one query only; with hub 0.5 and spread 0 that is CSLS (Conneau et al. 2018) but for what all pictures
share. How far each phrase's best picture stands out of what phrases have on its nearest pictures tells what chance is in this
library (`relevance.py`).
"""

import json
import os
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from seesay.library.search.relevance import PHRASES, SENTENCE, WORDS, Absent, Scale
from seesay.library.vectors.view import Vectors
from seesay.models.config import SearchSpec
from seesay.models.vectors import normalize
from seesay.system.files import read_arrays, write_arrays
from seesay.tasks.phrasing import Phrase, query_embeddings
from seesay.tasks.prompts import SHORT

if TYPE_CHECKING:
    from seesay.model import Model

NEIGHBOURS = 20  # nearest phrases of a picture
NEAREST = 16  # pictures on which a query, or a phrase, is compared with the phrases
UNMEASURED = SearchSpec(dict[str, tuple[str, ...]](SHORT))  # of models that say nothing of their own
STALE = 0.1  # share of a large library's pictures whose removal makes the phrases be searched for again
SMALL = 5000  # pictures; below this it is done again whenever one is gone
CHUNK = 4096
FILE = "phrases.npz"  # in a model's folder: the phrases' vectors, float16


class Correction(NamedTuple):
    """The two numbers of the formula above."""

    hub: float
    spread: float

    def ranks(self, cosines: np.ndarray, hubs: np.ndarray, spreads: np.ndarray) -> np.ndarray:
        """All (N,), or cosines (B, N) -> the same shape, float32."""
        left = cosines - self.hub * hubs
        return np.asarray(left / spreads**self.spread if self.spread else left, dtype=np.float32)

    def typical(self, hubs: np.ndarray, spreads: np.ndarray) -> np.ndarray:
        """The ranks (N,) that a picture's nearest phrases have on average."""
        return self.ranks(hubs, hubs, spreads)


class Form(IntEnum):
    """How a query in words is put, which decides how its cosines are corrected."""

    SENTENCE = 0
    SHORT = 1  # a word or a few
    LESS = 2  # something is taken away: in deviations, so that what is there and what is not wanted are on one scale


def form_of(phrases: Sequence[Phrase], *, less: bool = False) -> tuple[Form, Scale]:
    """How queries of these phrases are put, and what deviations of chance mean for them. less: something is taken away."""
    form = Form.LESS if less else Form.SHORT if all(phrase.short for phrase in phrases) else Form.SENTENCE
    if form == Form.SENTENCE:
        return form, SENTENCE
    return form, WORDS if all(phrase.one_word for phrase in phrases) else PHRASES


def corrections(spec: SearchSpec) -> tuple[Correction, ...]:
    """By form."""
    return Correction(spec.sentence_hub, 0.0), Correction(spec.hub, spec.spread), Correction(0.0, 1.0)


@dataclass(frozen=True)
class Background:
    """Of the first N rows of a matrix. hubs, spreads: (N,) float32. nearest: (forms, B, 2, NEAREST) of each of B phrases,
    ranked in every form, the highest ranks among the pictures that are there and what is typical of these, NaN where there are
    fewer. live: how many are there."""

    generation: int
    hubs: np.ndarray
    spreads: np.ndarray
    nearest: np.ndarray
    live: int

    @staticmethod
    def empty(generation: int, phrases: int) -> "Background":
        nothing = np.empty(0, dtype=np.float32)
        return Background(generation, nothing, nothing, _none(phrases), 0)

    def standing_out(self, form: Form) -> np.ndarray:
        """(B,): how far each phrase's best picture stands out, or empty where there is no picture."""
        ranks, typical = self.nearest[form, :, 0], self.nearest[form, :, 1]
        if not self.live:
            return np.empty(0, dtype=np.float32)
        return np.asarray(np.nanmax(ranks, axis=1) - np.nanmean(typical, axis=1))

    @cached_property
    def absent(self) -> tuple[Absent, ...] | None:
        """What is chance here, by form; None where there is no picture."""
        return tuple(Absent.among(self.standing_out(form)) for form in Form) if self.live and self.nearest.size else None

    def extended(self, vectors: np.ndarray, phrases: np.ndarray, spec: SearchSpec) -> "Background":
        """vectors (M, D): the rows behind these, all of them there."""
        hubs, spreads, nearest = [self.hubs], [self.spreads], self.nearest
        for start in range(0, len(vectors), CHUNK):
            cosines = vectors[start : start + CHUNK] @ phrases.T
            some = measured(cosines)
            hubs.append(some[0])
            spreads.append(some[1])
            nearest = _nearest(nearest, cosines, *some, spec)
        total = self.live + len(vectors)
        return replace(self, hubs=np.concatenate(hubs), spreads=np.concatenate(spreads), nearest=nearest, live=total)

    def without(self, vectors: np.ndarray, live: np.ndarray, phrases: np.ndarray, spec: SearchSpec) -> "Background":
        """vectors (N, D), live (N,) bool: what phrases find among those that are still there."""
        nearest = _none(len(phrases))
        for start in range(0, len(vectors), CHUNK):
            at = start + np.flatnonzero(live[start : start + CHUNK])
            if len(at):
                nearest = _nearest(nearest, vectors[at] @ phrases.T, self.hubs[at], self.spreads[at], spec)
        return replace(self, nearest=nearest, live=int(live.sum()))

    def covers(self, vectors: Vectors) -> bool:
        """Whether these are its rows, or the first of them."""
        return self.generation == vectors.generation and len(self.hubs) <= len(vectors.kept[0])

    def same(self, other: "Background") -> bool:
        counts = [(each.generation, len(each.hubs), each.live) for each in (self, other)]
        return counts[0] == counts[1]

    def stale(self, live: int) -> bool:
        """Whether so much is gone that chance may be another."""
        gone = self.live - live
        return gone > 0 and (live < SMALL or gone > STALE * live)

    @staticmethod
    def read(file: Path) -> "Background | None":
        stored = read_arrays(file)
        if stored is None or not {"generation", "hubs", "spreads", "nearest", "live"} <= stored.keys():
            return None
        return Background(int(stored["generation"]), stored["hubs"], stored["spreads"], stored["nearest"], int(stored["live"]))

    def write(self, file: Path) -> None:
        counts = {"generation": np.array(self.generation), "live": np.array(self.live)}
        write_arrays(file, hubs=self.hubs, spreads=self.spreads, nearest=self.nearest, **counts)


def measured(cosines: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cosines of pictures with the phrases (N, B) -> each picture's mean with its nearest phrases, and deviation: (N,) each."""
    count = min(NEIGHBOURS, cosines.shape[1])
    nearest = np.partition(cosines, cosines.shape[1] - count, axis=1)[:, -count:]
    spread = np.maximum(cosines.std(axis=1), np.float32(1e-6))
    return nearest.mean(axis=1, dtype=np.float32), spread.astype(np.float32)


def _none(phrases: int) -> np.ndarray:
    return np.full((len(Form), phrases, 2, NEAREST), np.nan, dtype=np.float32)


def _nearest(before: np.ndarray, cosines: np.ndarray, hubs: np.ndarray, spreads: np.ndarray, spec: SearchSpec) -> np.ndarray:
    """`Background.nearest` with further pictures: cosines (N, B), hubs (N,), spreads (N,)."""
    made = []
    for known, rule in zip(before, corrections(spec), strict=True):
        ranks = np.concatenate([known[:, 0], rule.ranks(cosines.T, hubs, spreads)], axis=1)  # (B, NEAREST + N)
        usual = np.broadcast_to(rule.typical(hubs, spreads), cosines.T.shape)
        best = np.argpartition(np.where(np.isnan(ranks), np.inf, -ranks), NEAREST - 1, axis=1)[:, :NEAREST]
        typical = np.concatenate([known[:, 1], usual], axis=1)
        made.append(np.stack([np.take_along_axis(each, best, axis=1) for each in (ranks, typical)], axis=1))
    return np.stack(made)


@cache
def neutral_phrases() -> tuple[str, ...]:
    return tuple((Path(__file__).parent / "neutral.txt").read_text(encoding="utf-8").splitlines())


def file_state(file: Path) -> tuple[int, int, int] | None:
    """Another for every file that stood at this path, which is replaced and never edited; None where there is none."""
    try:
        status = os.stat(file)
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size


def search_spec(model: "Model") -> SearchSpec:
    return model.config.search or UNMEASURED


def phrase_key(spec: SearchSpec) -> str:
    """Names the phrases, the way they are put, and the corrections: what is kept for one key is right for it alone.

    A checksum and no SHA-256, which would load OpenSSL at every search.
    """
    templates = {language: list(some) for language, some in spec.templates.items()}
    said = [neutral_phrases(), templates, *corrections(spec), NEIGHBOURS]
    return f"{zlib.crc32(json.dumps(said, sort_keys=True).encode()):08x}"


def phrase_vectors(model: "Model") -> np.ndarray:
    """(B, D) unit vectors of the neutral phrases, from the model's folder or the cache, where they are put when made."""
    from seesay.checkpoints.hub.download import cache_dir

    spec = search_spec(model)
    key = phrase_key(spec)
    made = cache_dir() / "phrases" / f"{model.space_id}-{key}.npz"
    for file in ([] if model.folder is None else [model.folder / FILE]) + [made]:
        stored = read_arrays(file)
        if stored is not None and str(stored.get("key")) == key and stored["vectors"].shape[1] == model.dim:
            return normalize(stored["vectors"].astype(np.float32))
    return write_phrases(made, model)


def write_phrases(file: Path, model: "Model") -> np.ndarray:
    """Makes the phrases' vectors, keeps them in the file and returns them as they will be read."""
    spec = search_spec(model)
    vectors = query_embeddings(model, neutral_phrases(), spec.templates).astype(np.float16)
    write_arrays(file, vectors=vectors, key=np.array(phrase_key(spec)))
    return normalize(vectors.astype(np.float32))
