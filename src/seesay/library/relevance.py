"""Where the hits of a query end: a cut-off of its own for every query, in words of any model.

A cosine says nothing by itself: 0.3 is a good match for one query and noise for another. So a query is compared with many
neutral phrases (neutral.txt). How far it stands out on the pictures that it fits best: its cosine less what the best-fitting
hundredth of the phrases has on the same pictures. The phrases themselves are searched for in the library too, each as if it
were a query. A narrow library shows few of them and a large one most, so a place among them says little. But those that it does
not show crowd together at the lower end, and how they are spread there tells what is chance in this library (an empirical null,
Efron 2004, doi:10.1198/016214504000000089). A hit's relevance follows from how many deviations of chance it stands out by.

Taking something away lowers every cosine. So what a query takes away is taken from the phrases too where hits are compared
with them; and whether anything is found is asked of the rest of the query alone, on the same pictures.

Measured on Caltech101 in docs/benchmarks.md.
"""

import hashlib
import math
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from seesay.arrays import read_arrays, write_arrays
from seesay.library.sum import Sum
from seesay.tasks.encoder import unit

if TYPE_CHECKING:
    from seesay.model import Model

FITTING = 0.99  # quantile of the phrases' cosines with a picture
NEAREST = 16  # pictures on which a query is compared with the phrases
DENSEST = 0.2  # of the phrases: where they are most crowded is the middle of those that are absent
# How many deviations from that middle the best hit must stand out by, or nothing is found; and every hit.
FOUND, KEPT = 2.5, -0.25
# Relevance by deviations: a logistic curve fitted to whether a class that is asked for is in the library or not, in
# benchmarks/cut_off.py's libraries of half of Caltech101, with the bundled model.
EVEN, SLOPE = 3.3, 3.8
STALE = 0.1  # change of a library's size after which the phrases are searched for again
CHUNK = 4096


@dataclass(frozen=True)
class Absent:
    """How far what a library does not show stands out in it all the same, as a normal distribution."""

    mean: float
    deviation: float

    @staticmethod
    def among(best: np.ndarray) -> "Absent":
        """best (B,), ascending: of phrases of which some are there. The mean is that of the most crowded part, the deviation
        that of what lies below it, since what is there lies above."""
        count = max(1, int(DENSEST * len(best)))
        start = int((best[count - 1 :] - best[: len(best) - count + 1]).argmin())
        mean = float(best[start : start + count].mean())
        below = best[best <= mean]
        spread = float(np.sqrt(np.square(below - mean).mean())) if len(below) else 0.0
        return Absent(mean, max(spread, 1e-6))

    def deviations(self, by: float) -> float:
        return (by - self.mean) / self.deviation


@dataclass(frozen=True)
class Relevance:
    """Of one query in one library. typical: what the best-fitting phrases have on its nearest pictures; found: whether the
    library has what it asks for."""

    typical: float
    absent: Absent
    found: bool

    def of(self, score: float) -> float:
        """0 to 1: the chance that what is asked for is there, if every second query's is."""
        return 0.5 + 0.5 * math.tanh((self.absent.deviations(score - self.typical) - EVEN) / SLOPE / 2)

    def least(self) -> float:
        """The cosine from which hits are kept; infinite where nothing is found."""
        return self.typical + self.absent.mean + KEPT * self.absent.deviation if self.found else float("inf")


@dataclass(frozen=True)
class Neutral:
    """What the neutral phrases find in a library of `rows` pictures. phrases (B, D); best (B,), ascending: how
    far the best match of each stands out."""

    phrases: np.ndarray
    best: np.ndarray
    rows: int

    @staticmethod
    def of(vectors: np.ndarray, phrases: np.ndarray) -> "Neutral":
        return Neutral(phrases, standing_out(vectors, phrases), len(vectors))

    @staticmethod
    def read(folder: Path) -> "Neutral | None":
        stored = read_arrays(_file(folder))
        if stored is None or not {"phrases", "best", "rows"} <= stored.keys():
            return None
        return Neutral(stored["phrases"], stored["best"], int(stored["rows"]))

    def write(self, folder: Path) -> None:
        write_arrays(_file(folder), phrases=self.phrases, best=self.best, rows=np.array(self.rows))

    def stale(self, rows: int) -> bool:
        return abs(rows - self.rows) > STALE * self.rows

    def relevance(self, nearest: np.ndarray, asked: Sum) -> Relevance:
        """nearest (NEAREST, D): the vectors that a query is nearest to."""
        length = max(float(np.linalg.norm(asked.wanted)), 1e-6)
        typical = _typical(nearest, self.phrases)
        found = self.absent.deviations(float((nearest @ asked.wanted).max()) / length - typical) >= FOUND
        if asked.taken is not None:
            typical = _typical(nearest, unit(self.phrases + asked.taken / length))
        return Relevance(typical, self.absent, found)

    @cached_property
    def absent(self) -> Absent:
        return Absent.among(self.best)


def refreshed(folder: Path, vectors: np.ndarray, model: "Model", before: Neutral | None) -> Neutral:
    """Of a library's vectors (N, D), N > 0, and kept in their folder."""
    made = Neutral.of(vectors, model.encode_text(neutral_phrases()) if before is None else before.phrases)
    made.write(folder)
    return made


def standing_out(vectors: np.ndarray, phrases: np.ndarray) -> np.ndarray:
    """vectors (N, D) of a library, N > 0, phrases (B, D) -> (B,) float32, ascending: how far the best match of each
    stands out."""
    scores = np.empty((0, len(phrases)), dtype=np.float32)  # of each phrase's nearest so far
    typical = scores  # and what the best-fitting phrases have there
    for start in range(0, len(vectors), CHUNK):
        found = vectors[start : start + CHUNK] @ phrases.T
        fitting = quantile(found, FITTING)
        scores = np.concatenate([scores, found])
        typical = np.concatenate([typical, np.broadcast_to(fitting[:, None], found.shape)])
        if len(scores) > NEAREST:
            nearest = np.argpartition(-scores, NEAREST, axis=0)[:NEAREST]
            scores, typical = (np.take_along_axis(each, nearest, axis=0) for each in (scores, typical))
    return np.sort(scores.max(axis=0) - typical.mean(axis=0))


def _typical(nearest: np.ndarray, phrases: np.ndarray) -> float:
    """What the best-fitting of the phrases (B, D) have on the pictures (N, D), on average."""
    return float(quantile(nearest @ phrases.T, FITTING).mean())


def quantile(values: np.ndarray, at: float) -> np.ndarray:
    """values (..., N) -> (...): what `np.quantile` gives along the last axis, which loads a module of 15 ms first."""
    place = at * (values.shape[-1] - 1)
    low = int(place)
    high = min(low + 1, values.shape[-1] - 1)
    parted = np.partition(values, (low, high), axis=-1)
    below, above = parted[..., low], parted[..., high]
    return np.asarray(below + (above - below) * values.dtype.type(place - low))


@cache
def neutral_phrases() -> tuple[str, ...]:
    return tuple((Path(__file__).parent / "neutral.txt").read_text(encoding="utf-8").splitlines())


def _file(folder: Path) -> Path:
    """Another file for other phrases."""
    return folder / f"neutral-{hashlib.sha256(' '.join(neutral_phrases()).encode()).hexdigest()[:12]}.npz"
