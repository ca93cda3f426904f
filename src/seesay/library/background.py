"""How near a library's pictures are to anything: what neutral phrases find in it, measured when it is indexed.

Some pictures are near to every query (hubs, Radovanovic et al. 2010). So each picture is compared with many neutral phrases
(neutral.txt) once, and two numbers are kept of it: the mean cosine with its nearest phrases, and the deviation over all of
them. A query's cosines are corrected by them into ranks,

    rank = (cosine - hub * mean of the nearest) / deviation ** spread

which are compared within one query only; with hub 0.5 and spread 0 that is CSLS (Conneau et al. 2018) but for what all pictures
share. How high each phrase itself ranks in the library tells what chance is there (`relevance.py`).
"""

import hashlib
import json
import os
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from seesay.arrays import read_arrays, write_arrays
from seesay.config import SearchSpec
from seesay.library.vectors import Vectors
from seesay.tasks.encoder import unit
from seesay.tasks.phrasing import query_embeddings
from seesay.tasks.prompts import SHORT

if TYPE_CHECKING:
    from seesay.model import Model

NEIGHBOURS = 20  # nearest phrases of a picture
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
        return np.asarray((cosines - self.hub * hubs) / spreads**self.spread, dtype=np.float32)


NONE = Correction(0.0, 0.0)


def corrections(spec: SearchSpec) -> tuple[Correction, Correction]:
    """Of sentences, and of short queries."""
    return Correction(spec.sentence_hub, 0.0), Correction(spec.hub, spec.spread)


@dataclass(frozen=True)
class Background:
    """Of the first N rows of a matrix. hubs, spreads: (N,) float32. best: (2, B) the highest rank that each of B phrases has
    among the pictures that are there, put as a sentence is ranked and as a short query is. live: how many are there."""

    generation: int
    hubs: np.ndarray
    spreads: np.ndarray
    best: np.ndarray
    live: int

    @staticmethod
    def empty(generation: int, phrases: int) -> "Background":
        nothing = np.empty(0, dtype=np.float32)
        return Background(generation, nothing, nothing, np.full((2, phrases), -np.inf, dtype=np.float32), 0)

    def extended(self, vectors: np.ndarray, phrases: np.ndarray, spec: SearchSpec) -> "Background":
        """vectors (M, D): the rows behind these, all of them there."""
        hubs, spreads, best = [self.hubs], [self.spreads], self.best
        for start in range(0, len(vectors), CHUNK):
            cosines = vectors[start : start + CHUNK] @ phrases.T
            some = measured(cosines)
            hubs.append(some[0])
            spreads.append(some[1])
            best = np.maximum(best, _highest(cosines, *some, spec))
        total = self.live + len(vectors)
        return replace(self, hubs=np.concatenate(hubs), spreads=np.concatenate(spreads), best=best, live=total)

    def without(self, vectors: np.ndarray, live: np.ndarray, phrases: np.ndarray, spec: SearchSpec) -> "Background":
        """vectors (N, D), live (N,) bool: what phrases find among those that are still there."""
        best = np.full_like(self.best, -np.inf)
        for start in range(0, len(vectors), CHUNK):
            at = start + np.flatnonzero(live[start : start + CHUNK])
            if len(at):
                best = np.maximum(best, _highest(vectors[at] @ phrases.T, self.hubs[at], self.spreads[at], spec))
        return replace(self, best=best, live=int(live.sum()))

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
        if stored is None or not {"generation", "hubs", "spreads", "best", "live"} <= stored.keys():
            return None
        return Background(int(stored["generation"]), stored["hubs"], stored["spreads"], stored["best"], int(stored["live"]))

    def write(self, file: Path) -> None:
        counts = {"generation": np.array(self.generation), "live": np.array(self.live)}
        write_arrays(file, hubs=self.hubs, spreads=self.spreads, best=self.best, **counts)


def measured(cosines: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cosines of pictures with the phrases (N, B) -> each picture's mean with its nearest phrases, and deviation: (N,) each."""
    count = min(NEIGHBOURS, cosines.shape[1])
    nearest = np.partition(cosines, cosines.shape[1] - count, axis=1)[:, -count:]
    spread = np.maximum(cosines.std(axis=1), np.float32(1e-6))
    return nearest.mean(axis=1, dtype=np.float32), spread.astype(np.float32)


def _highest(cosines: np.ndarray, hubs: np.ndarray, spreads: np.ndarray, spec: SearchSpec) -> np.ndarray:
    """(N, B), (N,), (N,) -> (2, B)"""
    return np.stack([rule.ranks(cosines.T, hubs, spreads).max(axis=1) for rule in corrections(spec)])


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
    """Names the phrases, the way they are put, and the corrections: what is kept for one key is right for it alone."""
    templates = {language: list(some) for language, some in spec.templates.items()}
    said = [neutral_phrases(), templates, *corrections(spec), NEIGHBOURS]
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:12]


def phrase_vectors(model: "Model") -> np.ndarray:
    """(B, D) unit vectors of the neutral phrases, from the model's folder or the cache, where they are put when made."""
    from seesay.download import cache_dir

    spec = search_spec(model)
    key = phrase_key(spec)
    made = cache_dir() / "phrases" / f"{model.space_id}-{key}.npz"
    for file in ([] if model.folder is None else [model.folder / FILE]) + [made]:
        stored = read_arrays(file)
        if stored is not None and str(stored.get("key")) == key and stored["vectors"].shape[1] == model.dim:
            return unit(stored["vectors"].astype(np.float32))
    return write_phrases(made, model)


def write_phrases(file: Path, model: "Model") -> np.ndarray:
    """Makes the phrases' vectors, keeps them in the file and returns them as they will be read."""
    spec = search_spec(model)
    vectors = query_embeddings(model, neutral_phrases(), spec.templates).astype(np.float16)
    write_arrays(file, vectors=vectors, key=np.array(phrase_key(spec)))
    return unit(vectors.astype(np.float32))
