"""Few-shot recognition without training: names taught by pictures, and 'unknown' for what resembles none of them.

A name's score is the mean of two cosines, to its prototype (the mean of its pictures, Snell et al. 2017) and to its nearest
picture: with one picture both are the same, with several each corrects the other (docs/benchmarks.md). Scores of pictures of
something else decide from where on a name is believed (`calibration`). `tip_adapter` is the cache fused with texts of Zhang et
al. 2022, for comparison and for names that are words.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from seesay.errors import InputError
from seesay.models.vectors import normalize, top_k

FALSE_ACCEPTS = 0.05
# In a library, where nearly all pictures show something else. Of 127 photos one taught alone tags 4.4 others, with 0.05 9.5;
# both times all of those that show the same thing, with 0.01 no longer.
LIBRARY_FALSE_ACCEPTS = 0.02
TIED = 1e-6  # scores that differ by less are one score, in float32
ENOUGH_NAMES = 10  # from so many on, the names say themselves how alike different things are
WORDS = 0.2  # weight of the cosine to a name's own text, where names are words
SAME = 1 - 1e-6  # cosine of one picture with itself, in float32
MOST = 5000  # pictures of a gallery that are compared with its other names
LOWEST = -2.0  # below every score
CHUNK = 1024


@dataclass(frozen=True)
class Gallery:
    """Names, each with the vectors of its pictures.

    names: K. vectors: (N, D) float32, unit length. owners: (N,) numbers of names, each of which owns at least one picture.
    texts: (K, D) vectors of the names as words, which then count with the weight `WORDS`; None where names are mere names.
    Raises InputError.
    """

    names: tuple[str, ...]
    vectors: np.ndarray
    owners: np.ndarray
    texts: np.ndarray | None = None

    def __post_init__(self) -> None:
        if not self.names:
            raise InputError("expected at least one name with a picture, got none")
        if self.vectors.ndim != 2 or self.owners.shape != (len(self.vectors),):
            raise InputError(f"expected vectors (N, D) and owners (N,), got {self.vectors.shape} and {self.owners.shape}")
        if not np.array_equal(np.unique(self.owners), np.arange(len(self.names))):
            raise InputError(f"expected pictures of each of {len(self.names)} names, got those of {np.unique(self.owners)}")
        if self.texts is not None and self.texts.shape != (len(self.names), self.vectors.shape[1]):
            raise InputError(f"expected a text per name, {len(self.names)} x {self.vectors.shape[1]}, got {self.texts.shape}")

    @cached_property
    def prototypes(self) -> np.ndarray:
        """(K, D) unit vectors: the mean of each name's pictures."""
        sums = np.zeros((len(self.names), self.vectors.shape[1]), dtype=np.float32)
        np.add.at(sums, self.owners, self.vectors)
        return normalize(sums)

    @cached_property
    def _sorted(self) -> tuple[np.ndarray, np.ndarray]:
        """The vectors in order of their owners, and where each name's begin."""
        order = np.argsort(self.owners, kind="stable")
        return self.vectors[order], np.searchsorted(self.owners[order], np.arange(len(self.names)))

    def nearest(self, images: np.ndarray) -> np.ndarray:
        """Images (M, D) -> (M, K): the cosine to each name's nearest picture."""
        vectors, starts = self._sorted
        return np.maximum.reduceat(images @ vectors.T, starts, axis=1)

    def scores(self, images: np.ndarray) -> np.ndarray:
        """Images (M, D) at unit length -> scores (M, K) float32 of the names, comparable over pictures of one gallery."""
        chunks = [np.empty((0, len(self.names)), dtype=np.float32)]
        for start in range(0, len(images), CHUNK):
            part = images[start : start + CHUNK]
            chunks.append(self._scores(part, self.nearest(part)))
        return np.concatenate(chunks)

    def _scores(self, images: np.ndarray, nearest: np.ndarray) -> np.ndarray:
        scores = (images @ self.prototypes.T + nearest) / 2
        if self.texts is not None:
            scores = scores + np.float32(WORDS) * (images @ self.texts.T)
        return np.asarray(scores, dtype=np.float32)

    def best_of_others(self) -> np.ndarray:
        """The best score of each picture with another name than its own, (S,), of `MOST` pictures, evenly chosen.

        A picture that two names share is left out.
        """
        best = [np.empty(0, dtype=np.float32)]
        chosen = np.linspace(0, len(self.owners) - 1, min(MOST, len(self.owners))).astype(np.int64)
        for start in range(0, len(chosen), CHUNK):
            rows = chosen[start : start + CHUNK]
            own = np.arange(len(rows)), self.owners[rows]
            nearest = self.nearest(self.vectors[rows])
            scores = self._scores(self.vectors[rows], nearest)
            nearest[own] = scores[own] = -np.inf
            best.append(scores.max(axis=1)[nearest.max(axis=1) < SAME])
        return np.concatenate(best)


@dataclass(frozen=True)
class Calibration:
    """The best scores that pictures of none of the names have, ascending, (S,) float32."""

    scores: np.ndarray

    def threshold(self, false_accepts: float = FALSE_ACCEPTS) -> float:
        """The score from which on a name is believed, the least whose `chance` is at most `false_accepts`.

        Of too few strangers for that, none reaches it. 1: every picture gets its nearest name. Raises InputError.
        """
        if not 0 < false_accepts <= 1:
            raise InputError(
                f"false_accepts: expected a share above 0 and at most 1, such as 0.05, got {false_accepts}",
                parameter="false_accepts",
                expected="a share above 0 and at most 1",
                got=false_accepts,
            )
        if false_accepts == 1:
            return LOWEST
        allowed = max(int(false_accepts * (len(self.scores) + 1)) - 1, 0)
        highest = self.scores[len(self.scores) - 1 - allowed]
        return float(np.nextafter(highest, np.float32(np.inf)))

    def chance(self, score: float) -> float:
        """The chance that a stranger has this score or a higher one: (strangers that have + 1) / (strangers + 1).

        That is the p-value of conformal prediction (Vovk et al. 2005), which is never 0.
        """
        above = len(self.scores) - np.searchsorted(self.scores, np.float32(score), side="left")
        return float((above + 1) / (len(self.scores) + 1))


def calibration(gallery: Gallery, strangers: np.ndarray) -> Calibration:
    """How high pictures of something else score in this gallery. strangers: (S, D), everyday pictures, at least one.

    From `ENOUGH_NAMES` names on, each name's pictures (`MOST` of all, evenly chosen) are compared with the other names, which
    tells how alike different things of this kind are: a gallery of apples needs more than one of apples and cars. Fewer names
    are compared with the strangers. A picture that two names share is a stranger to neither and is left out. Raises InputError.
    """
    best = gallery.best_of_others() if len(gallery.names) >= ENOUGH_NAMES else np.empty(0, dtype=np.float32)
    if not len(best):
        if not len(strangers):
            raise InputError("expected pictures of strangers, got none")
        best = gallery.scores(strangers).max(axis=1)
    return Calibration(np.sort(best))


@dataclass(frozen=True)
class Identity:
    """Who or what a picture shows. name: None where no name reaches the threshold. candidates: names and scores, best first.

    chance: that a picture of something else scores as high as the best candidate.
    """

    name: str | None
    score: float
    candidates: tuple[tuple[str, float], ...]
    chance: float

    @property
    def tied(self) -> tuple[str, ...]:
        """The candidates that are as near as the first, where there are several: the picture taught them all, or they have the
        same pictures."""
        near = tuple(name for name, score in self.candidates if score >= self.score - TIED)
        return near if len(near) > 1 else ()


def identify(
    gallery: Gallery, images: np.ndarray, calibrated: Calibration, *, false_accepts: float = FALSE_ACCEPTS, most: int = 5
) -> list[Identity]:
    """Images (M, D) at unit length -> the name of each, or none, with its `most` nearest names. Raises InputError."""
    threshold = calibrated.threshold(false_accepts)
    identities = []
    for row in gallery.scores(images):
        nearest = tuple((gallery.names[at], float(row[at])) for at in top_k(row, most))
        name, score = nearest[0]
        identities.append(Identity(name if score >= threshold else None, score, nearest, calibrated.chance(score)))
    return identities


def tip_adapter(
    gallery: Gallery, images: np.ndarray, texts: np.ndarray, scale: float, *, alpha: float = 1.0, beta: float = 5.5
) -> np.ndarray:
    """Logits (M, K) of a key-value cache of the gallery's pictures, added to those of texts (K, D).

    Tip-Adapter without its fine-tuning (Zhang et al. 2022, equations 3 to 5): alpha * exp(-beta (1 - cosine)), summed over a
    name's pictures, + scale * cosine to the name's text. alpha and beta default to the paper's. Images (M, D), unit vectors.
    """
    affinities = np.exp(-beta * (1 - images @ gallery.vectors.T))  # (M, N)
    values = np.zeros((len(gallery.owners), len(gallery.names)), dtype=np.float32)
    values[np.arange(len(gallery.owners)), gallery.owners] = 1
    return np.asarray(alpha * (affinities @ values) + scale * (images @ texts.T), dtype=np.float32)


def from_examples(names: Sequence[str], vectors: np.ndarray) -> Gallery:
    """A gallery of pictures (N, D), each with its name; names in order of their first picture. Raises InputError."""
    numbers = {name: number for number, name in enumerate(dict.fromkeys(names))}
    owners = np.asarray([numbers[name] for name in names], dtype=np.int64)
    return Gallery(tuple(numbers), np.asarray(vectors, dtype=np.float32), owners)
