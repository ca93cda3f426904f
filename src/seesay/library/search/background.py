"""`Background`: how near a library's pictures are to neutral phrases, which corrects a query's cosines.

Some pictures are near to every query (hubs, Radovanovic et al. 2010). So when a library is indexed, each picture is compared
with many neutral phrases (neutral.txt), and two numbers of it are stored: the mean cosine with its nearest phrases (`hubs`),
and the standard deviation over all of them (`spreads`). They correct a query's cosines into ranks,

    rank = (cosine - hub * mean of the nearest) / deviation ** spread

which are compared within one query only. With hub 0.5 and spread 0 that is CSLS (Conneau et al. 2018) up to a constant. How far
each phrase's best picture stands out from phrases on its nearest pictures is the null distribution of relevance.py.
"""

import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from seesay.library.search.relevance import SENTENCE, WORD, WORDS, NullDistribution, Relevance, Scale
from seesay.models.config import SearchSpec
from seesay.models.vectors import normalize
from seesay.system.files import read_arrays, write_arrays
from seesay.tasks.phrasing import Phrase, query_embeddings
from seesay.tasks.prompts import SHORT
from seesay.tasks.zero_shot import NEIGHBOURS, nearest_mean

if TYPE_CHECKING:
    from seesay.model import Model

NEAREST = 16  # pictures on which a query, or a phrase, is compared with the phrases
UNMEASURED = SearchSpec(dict[str, tuple[str, ...]](SHORT))  # of models without a specification of their own
STALE = 0.1  # when so large a share of the pictures was removed, the phrases' nearest pictures are computed again
SMALL = 5000  # pictures; up to so many, any removal has them computed again
CHUNK = 4096
FILE = "phrases.npz"  # in a model's folder: the phrases' vectors, float16


class Correction(NamedTuple):
    """The exponents of the formula above: how strongly hubs and spreads correct cosines."""

    hub: float
    spread: float

    def ranks(self, cosines: np.ndarray, hubs: np.ndarray, spreads: np.ndarray) -> np.ndarray:
        """cosines (N,) or (B, N), hubs (N,), spreads (N,) -> ranks in the shape of the cosines, float32."""
        centred = cosines - self.hub * hubs
        return np.asarray(centred / spreads**self.spread if self.spread else centred, dtype=np.float32)

    def typical(self, hubs: np.ndarray, spreads: np.ndarray) -> np.ndarray:
        """The ranks (N,) that a picture's nearest phrases have on average."""
        return self.ranks(hubs, hubs, spreads)


class Form(IntEnum):
    """The form of a text query, which decides how its cosines are corrected. The numbers are stored: positions in arrays."""

    SENTENCE = 0
    SHORT = 1  # a word or a few
    DIFFERENCE = 2  # with negative terms: in standard deviations, so that positive and negative terms are on one scale


def form_of(phrases: Sequence[Phrase], *, negative: bool = False) -> tuple[Form, Scale]:
    """The form of a query of these phrases, and the scale of its relevance. negative: whether it has negative terms."""
    form = Form.DIFFERENCE if negative else Form.SHORT if all(phrase.short for phrase in phrases) else Form.SENTENCE
    if form == Form.SENTENCE:
        return form, SENTENCE
    return form, WORD if all(phrase.one_word for phrase in phrases) else WORDS


def corrections(spec: SearchSpec) -> tuple[Correction, ...]:
    """The correction of each form, in the order of `Form`."""
    return Correction(spec.sentence_hub, 0.0), Correction(spec.hub, spec.spread), Correction(0.0, 1.0)


@dataclass(frozen=True)
class Background:
    """The measurements of the first N rows of a vector index.

    generation: the index's. hubs, spreads: (N,) float32. nearest: (forms, B, 2, NEAREST) float32: in every form, for each of B
    phrases, its highest ranks among the live pictures and the typical ranks of those pictures; NaN where there are fewer. live:
    the number of rows that the database had when `nearest` was computed.
    """

    generation: int
    hubs: np.ndarray
    spreads: np.ndarray
    nearest: np.ndarray
    live: int

    @staticmethod
    def empty(generation: int, phrases: int) -> "Background":
        """The measurements of no rows, to be extended."""
        none = np.empty(0, dtype=np.float32)
        return Background(generation, none, none, _no_ranks(phrases), 0)

    def standing_out(self, form: Form) -> np.ndarray:
        """(B,): how far each phrase's best picture stands out; empty where there is no picture."""
        ranks, typical = self.nearest[form, :, 0], self.nearest[form, :, 1]
        if not self.live:
            return np.empty(0, dtype=np.float32)
        return np.asarray(np.nanmax(ranks, axis=1) - np.nanmean(typical, axis=1))

    @cached_property
    def nulls(self) -> tuple[NullDistribution, ...] | None:
        """The null distribution of each form; None where there is no picture."""
        if not self.live or not self.nearest.size:
            return None
        return tuple(NullDistribution.fitted(self.standing_out(form)) for form in Form)

    def extended(self, vectors: np.ndarray, phrases: np.ndarray, spec: SearchSpec) -> "Background":
        """With the next rows of the index, vectors (M, D), all of them live; phrases (B, D)."""
        hubs, spreads, nearest = [self.hubs], [self.spreads], self.nearest
        for start in range(0, len(vectors), CHUNK):
            cosines = vectors[start : start + CHUNK] @ phrases.T
            more_hubs, more_spreads = measure(cosines)
            hubs.append(more_hubs)
            spreads.append(more_spreads)
            nearest = _nearest(nearest, cosines, more_hubs, more_spreads, spec)
        total = self.live + len(vectors)
        return replace(self, hubs=np.concatenate(hubs), spreads=np.concatenate(spreads), nearest=nearest, live=total)

    def without(self, vectors: np.ndarray, live: np.ndarray, phrases: np.ndarray, spec: SearchSpec) -> "Background":
        """With `nearest` computed again among the live rows only. vectors (N, D), live (N,) bool, phrases (B, D)."""
        nearest = _no_ranks(len(phrases))
        for start in range(0, len(vectors), CHUNK):
            at = start + np.flatnonzero(live[start : start + CHUNK])
            if len(at):
                nearest = _nearest(nearest, vectors[at] @ phrases.T, self.hubs[at], self.spreads[at], spec)
        return replace(self, nearest=nearest, live=int(live.sum()))

    def is_prefix(self, generation: int, rows: int) -> bool:
        """Whether it measures the first rows of an index with this generation and number of rows."""
        return self.generation == generation and len(self.hubs) <= rows

    def same(self, other: "Background") -> bool:
        """Whether both measure the same rows."""
        counts = [(each.generation, len(each.hubs), each.live) for each in (self, other)]
        return counts[0] == counts[1]

    def stale(self, live: int) -> bool:
        """Whether enough pictures were deleted to compute `nearest` again. live: rows that the database has now."""
        deleted = self.live - live
        return deleted > 0 and (live < SMALL or deleted > STALE * live)

    @staticmethod
    def read(file: Path) -> "Background | None":
        """The measurements in a file; None where there is none, or a damaged one."""
        stored = read_arrays(file)
        if stored is None or not {"generation", "hubs", "spreads", "nearest", "live"} <= stored.keys():
            return None
        return Background(int(stored["generation"]), stored["hubs"], stored["spreads"], stored["nearest"], int(stored["live"]))

    def write(self, file: Path) -> None:
        """Writes the file; where that fails, readers compute what it would hold."""
        counts = {"generation": np.array(self.generation), "live": np.array(self.live)}
        write_arrays(file, hubs=self.hubs, spreads=self.spreads, nearest=self.nearest, **counts)


class PhraseStatistics(NamedTuple):
    """How all pictures of a search compare with the neutral phrases.

    hubs, spreads: (N,) float32. nulls: the null distribution of each form; None where there is no picture.
    """

    hubs: np.ndarray
    spreads: np.ndarray
    nulls: tuple[NullDistribution, ...] | None

    def at(self, positions: np.ndarray) -> "PhraseStatistics":
        """Those of some of the pictures, by positions (M,)."""
        return self._replace(hubs=self.hubs[positions], spreads=self.spreads[positions])

    def relevance(self, form: Form, scale: Scale, ranks: np.ndarray, typical: np.ndarray) -> Relevance | None:
        """The relevance of a text query's hits; None where there is nothing to compare with.

        ranks (K,): of the positive terms on their nearest pictures, the highest first. typical (K,): `Correction.typical`.
        """
        if self.nulls is None or not len(ranks):
            return None
        return Relevance(self.nulls[form], float(ranks[0]), float(typical.mean()), scale)


def measure(cosines: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cosines of pictures with the phrases (N, B) -> hubs (N,) and spreads (N,)."""
    spread = np.maximum(cosines.std(axis=1), np.float32(1e-6))
    return nearest_mean(cosines), spread.astype(np.float32)


def _no_ranks(phrases: int) -> np.ndarray:
    return np.full((len(Form), phrases, 2, NEAREST), np.nan, dtype=np.float32)


def _nearest(before: np.ndarray, cosines: np.ndarray, hubs: np.ndarray, spreads: np.ndarray, spec: SearchSpec) -> np.ndarray:
    """`Background.nearest` with further pictures: cosines (N, B), hubs (N,), spreads (N,)."""
    forms = []
    for nearest, correction in zip(before, corrections(spec), strict=True):
        ranks = np.concatenate([nearest[:, 0], correction.ranks(cosines.T, hubs, spreads)], axis=1)  # (B, NEAREST + N)
        more_typical = np.broadcast_to(correction.typical(hubs, spreads), cosines.T.shape)
        best = np.argpartition(np.where(np.isnan(ranks), np.inf, -ranks), NEAREST - 1, axis=1)[:, :NEAREST]
        typical = np.concatenate([nearest[:, 1], more_typical], axis=1)
        forms.append(np.stack([np.take_along_axis(each, best, axis=1) for each in (ranks, typical)], axis=1))
    return np.stack(forms)


@cache
def neutral_phrases() -> tuple[str, ...]:
    """The phrases of neutral.txt."""
    return tuple((Path(__file__).parent / "neutral.txt").read_text(encoding="utf-8").splitlines())


def search_spec(model: "Model") -> SearchSpec:
    """How the model's queries are phrased and its cosines corrected."""
    return model.config.search or UNMEASURED


def phrase_key(spec: SearchSpec) -> str:
    """A key of everything that stored measurements depend on: the phrases, their templates, the corrections.

    A checksum instead of SHA-256, which would load OpenSSL at every search.
    """
    templates = {language: list(some) for language, some in spec.templates.items()}
    settings = [neutral_phrases(), templates, *corrections(spec), NEIGHBOURS]
    return f"{zlib.crc32(json.dumps(settings, sort_keys=True).encode()):08x}"


def read_or_encode_phrases(model: "Model") -> np.ndarray:
    """(B, D) unit vectors of the neutral phrases, read from the model's folder or the cache; else encoded and cached."""
    from seesay.system.cache import cache_dir

    spec = search_spec(model)
    key = phrase_key(spec)
    cached = cache_dir() / "phrases" / f"{model.space_id}-{key}.npz"
    for file in ([] if model.folder is None else [model.folder / FILE]) + [cached]:
        stored = read_arrays(file)
        if stored is not None and str(stored.get("key")) == key and stored["vectors"].shape[1] == model.dim:
            return normalize(stored["vectors"].astype(np.float32))
    return write_phrases(cached, model)


def write_phrases(file: Path, model: "Model") -> np.ndarray:
    """Encodes the neutral phrases, writes them to the file as float16 and returns them as they will be read: (B, D) float32."""
    spec = search_spec(model)
    vectors = query_embeddings(model, neutral_phrases(), spec.templates).astype(np.float16)
    write_arrays(file, vectors=vectors, key=np.array(phrase_key(spec)))
    return normalize(vectors.astype(np.float32))
