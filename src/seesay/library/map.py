"""A 2-D map of a library: similar pictures are close together, clusters are labelled, and words are placed at their hits.

The vectors' first fifty principal components are laid out in two dimensions by t-SNE (van der Maaten and Hinton 2008) and
grouped by HDBSCAN (Campello et al. 2013), both of scikit-learn. Near means similar; distances between groups say little.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

import numpy as np

from seesay.errors import InputError, MissingExtra
from seesay.library.search.background import (
    NEAREST,
    PhraseStatistics,
    corrections,
    form_of,
    neutral_phrases,
    read_or_encode_phrases,
    search_spec,
)
from seesay.library.search.encode import encode_words
from seesay.library.search.filters import EVERYTHING, Filters
from seesay.library.search.relevance import Relevance
from seesay.library.session import Session
from seesay.library.storage.rows import PictureFile
from seesay.models.vectors import top_k
from seesay.system.progress import Progress
from seesay.tasks.phrasing import phrase

COMPONENTS = 50
PERPLEXITY = 30.0  # neighbours that t-SNE keeps together
EARLY = 12.0  # t-SNE's early exaggeration, scikit-learn's default
STEPS = 1000  # of t-SNE, at most
FEWEST = 5  # pictures of a map
SEED = 0
NEAR = 0.06  # share of the map's side: hits of a word within it count as one position
VARIOUS = "various"  # the name of a group that no phrase fits
AGREEMENT = 1.0  # standard deviations; below, a group's name fits by chance (found with groups of 127 and 900 photos)
ARTICLES = {"a", "an", "the", "of"}
WORD_HITS = 10  # hits that decide where a word is placed

_blas_lock = Lock()  # the number of BLAS threads is the process's: two layouts that change it in turns could leave it changed


@dataclass(frozen=True)
class Spot:
    """A picture on the map. x, y: 0 to 1, from the left and from the top. group: its number in `Map.groups`, or None."""

    file: PictureFile
    x: float
    y: float
    group: int | None


@dataclass(frozen=True)
class Label:
    """A text on the map: a group's name with its number of pictures, or one of the requested words."""

    text: str
    x: float
    y: float
    pictures: int = 0


@dataclass(frozen=True)
class Map:
    """A map of pictures. absent: requested words that no picture is likely to show. left_out: pictures that are not drawn."""

    spots: tuple[Spot, ...]
    groups: tuple[Label, ...]
    words: tuple[Label, ...]
    absent: tuple[str, ...]
    left_out: int

    def to_json(self) -> dict[str, Any]:
        """The documented form (docs/cli.md)."""
        return {
            "pictures": [
                {"path": spot.file.path, "x": spot.x, "y": spot.y} | ({} if spot.group is None else {"group": spot.group})
                for spot in self.spots
            ],
            "groups": [{"name": group.text, "x": group.x, "y": group.y, "pictures": group.pictures} for group in self.groups],
            "words": [{"word": word.text, "x": word.x, "y": word.y} for word in self.words],
            "absent": list(self.absent),
            "left_out": self.left_out,
        }


class _Sample(NamedTuple):
    """The pictures of a map: files, vectors (N, D), and their statistics."""

    files: list[PictureFile]
    vectors: np.ndarray
    statistics: PhraseStatistics
    left_out: int


def draw_map(
    session: Session,
    *,
    filters: Filters = EVERYTHING,
    most: int = 3000,
    words: Sequence[str] = (),
    names: Sequence[str] | None = None,
    progress: Progress | None = None,
) -> Map:
    """The map of at most `most` pictures that pass the filters, a random sample; the same map each time.

    words: to be placed among the pictures that show them. names: to name groups by; by default the neutral phrases, in English.
    progress: called with (steps done, steps to do) of the layout, which takes most of the time. Raises InputError where there
    are fewer than five pictures, MissingExtra.
    """
    if most < FEWEST:
        raise InputError(
            f"a map has at least {FEWEST} pictures, got most={most}", parameter="most", expected=f"at least {FEWEST}", got=most
        )
    if filters.min_score is not None:
        raise InputError("a map has no min_score: nothing is searched for", parameter="min_score", got=filters.min_score)
    sample = _sample(session, filters, most)
    positions = layout(sample.vectors, progress)
    member = grouped(positions)
    phrases = list(neutral_phrases() if names is None else names)
    encoded = read_or_encode_phrases(session.model) if names is None else session.model.encode_text(phrases)
    labels = group_names(sample.vectors, member, encoded, phrases)
    placed = _placed(session, sample, positions, words)
    return Map(
        tuple(
            Spot(file, *_rounded(position), None if group < 0 else group)
            for file, position, group in zip(sample.files, positions, member.tolist(), strict=True)
        ),
        tuple(
            Label(name, *_rounded(np.median(positions[member == group], axis=0)), int((member == group).sum()))
            for group, name in enumerate(labels)
        ),
        tuple(Label(word, *_rounded(at)) for word, at in placed.items() if at is not None),
        tuple(word for word, at in placed.items() if at is None),
        sample.left_out,
    )


def _sample(session: Session, filters: Filters, most: int) -> _Sample:
    store = session.store
    selection = store.select(filters, session.space, "image")
    files = store.picture_files(selection.contents, filters)
    vectors = session.vectors("image")
    statistics = session.phrase_statistics(vectors)
    selection = selection.where(np.isin(selection.contents, np.fromiter(files, dtype=np.int64)))
    count = len(selection.vectors)
    if count < FEWEST:
        raise InputError(f"a map has at least {FEWEST} pictures, and {count} pass the filters")
    drawn = selection.where(np.sort(np.random.default_rng(SEED).permutation(count)[:most]))
    at = np.searchsorted(vectors.ids, drawn.vectors)
    return _Sample(
        [files[content][0] for content in drawn.contents.tolist()],
        vectors.rows(drawn.vectors),
        PhraseStatistics(statistics.hubs[at], statistics.spreads[at], statistics.nulls),
        count - len(drawn.vectors),
    )


def _placed(session: Session, sample: _Sample, positions: np.ndarray, words: Sequence[str]) -> dict[str, np.ndarray | None]:
    """The position (2,) of each word, by word; None where no picture is likely to show it."""
    statistics, spec = sample.statistics, search_spec(session.model)
    placed = {}
    for word, vector in encode_words(session.model, dict.fromkeys(words)).items():
        form, scale = form_of([phrase(word)])
        correction = corrections(spec)[form]
        ranks = correction.ranks(sample.vectors @ vector, statistics.hubs, statistics.spreads)
        nearest = top_k(ranks, NEAREST)
        typical = correction.typical(statistics.hubs[nearest], statistics.spreads[nearest])
        placed[word] = located(ranks, positions, statistics.relevance(form, scale, ranks[nearest], typical))
    return placed


def layout(vectors: np.ndarray, progress: Progress | None = None) -> np.ndarray:
    """Vectors (N, D) at unit length, N >= 5 -> positions (N, 2) in 0..1, with a margin. Raises MissingExtra."""
    try:
        from sklearn.decomposition import PCA
        from sklearn.manifold import TSNE
        from threadpoolctl import threadpool_limits  # scikit-learn's own dependency
    except ImportError:
        raise MissingExtra("a map", "map") from None
    steps = _Steps(progress)
    if np.ptp(vectors, axis=0).max() < 1e-6:  # all pictures are the same
        steps.end()
        return np.full((len(vectors), 2), 0.5)
    few = min(COMPONENTS, len(vectors) - 1, vectors.shape[1])
    near = min(PERPLEXITY, (len(vectors) - 1) / 3)
    rate = _Rate(max(len(vectors) / EARLY / 4, 50.0), steps.step)  # scikit-learn's "auto"
    # One thread: at the end of each of a thousand short steps, threads wait for each other in loops that take whole cores. Two
    # threads took 2 to 7 times as long on two cores, the more the busier these were (benchmarks/map.py).
    with _blas_lock, threadpool_limits(1):
        reduced = PCA(few, random_state=SEED).fit_transform(vectors.astype(np.float64))
        tsne = TSNE(
            2, perplexity=near, early_exaggeration=EARLY, learning_rate=rate, max_iter=STEPS, init="pca", random_state=SEED
        )
        positions = tsne.fit_transform(reduced)
    steps.end()
    low, high = positions.min(axis=0), positions.max(axis=0)
    return np.asarray(0.04 + 0.92 * (positions - low) / np.maximum(high - low, 1e-6), dtype=np.float64)


class _Steps:
    """Counts the layout's steps and reports them."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress
        self._done = 0

    def step(self) -> None:
        self._done = min(self._done + 1, STEPS)
        if self._progress is not None:
            self._progress(self._done, STEPS)

    def end(self) -> None:
        """t-SNE may settle before its last step."""
        if self._done < STEPS:
            self._done = STEPS - 1
            self.step()


class _Rate(float):
    """A learning rate that reports its use. scikit-learn's t-SNE reports no progress, but multiplies it by the gradient once in
    each step."""

    def __new__(cls, value: float, used: Callable[[], None]) -> "_Rate":
        rate = super().__new__(cls, value)
        rate.used = used
        return rate

    used: Callable[[], None]

    def __mul__(self, gradient: Any) -> Any:
        self.used()
        return np.float64(self) * gradient  # as with "auto", so that the step has the same precision


def grouped(positions: np.ndarray) -> np.ndarray:
    """Positions (N, 2) -> the group of each (N,), from 0, the largest first; -1 outside of any."""
    from sklearn.cluster import HDBSCAN

    labels = HDBSCAN(min_cluster_size=max(4, len(positions) // 60), min_samples=3, copy=True).fit_predict(positions)
    sizes = np.bincount(labels[labels >= 0]) if (labels >= 0).any() else np.empty(0, dtype=np.int64)
    order = np.empty(len(sizes), dtype=np.int64)
    order[np.argsort(-sizes, kind="stable")] = np.arange(len(sizes))
    return np.where(labels >= 0, order[labels], -1) if len(sizes) else labels


def group_names(vectors: np.ndarray, member: np.ndarray, encoded: np.ndarray, phrases: Sequence[str]) -> list[str]:
    """Vectors (N, D), their groups (N,) and encoded phrases (B, D) -> a name for each group.

    It is the two phrases that fit the group most beyond what they fit all pictures and that share no word; VARIOUS where no
    phrase says what its pictures have in common.
    """
    fits = vectors @ encoded.T
    usual, spread = fits.mean(axis=0), fits.std(axis=0)
    names = []
    for group in range(member.max() + 1):
        beyond = fits[member == group] - usual
        if _agreement(beyond / np.maximum(spread, 1e-6)) < AGREEMENT and spread.max() > 1e-6:
            names.append(VARIOUS)
            continue
        order = np.argsort(-beyond.mean(axis=0), kind="stable")
        first = phrases[order[0]]
        others = (phrases[at] for at in order[1:] if not _share_word(first, phrases[at]))
        names.append(", ".join([first, *islice(others, 1)]))
    return names


def _agreement(lifts: np.ndarray) -> float:
    """(n, B) -> by how many standard deviations, on average, a picture fits the phrase that the rest of its group fits best.

    The picture itself has no vote: among so many phrases, some fit any few pictures best.
    """
    if len(lifts) < 2:
        return float("inf")
    chosen = (lifts.sum(axis=0) - lifts).argmax(axis=1)
    return float(np.take_along_axis(lifts, chosen[:, None], axis=1).mean())


def _share_word(one: str, other: str) -> bool:
    """Whether one has a word of the other, also as a part of a word: English has plurals, and Chinese no spaces."""
    words = [(word, other) for word in one.split()] + [(word, one) for word in other.split()]
    return any(word in text for word, text in words if word not in ARTICLES)


def located(ranks: np.ndarray, positions: np.ndarray, relevance: Relevance | None) -> np.ndarray | None:
    """A word's ranks (N,) of pictures at positions (N, 2) -> its position (2,): the mean of its best hits that are near.

    None where no picture is likely to show it.
    """
    nearest = top_k(ranks, WORD_HITS)
    if relevance is not None:
        nearest = nearest[ranks[nearest] >= relevance.threshold]
    if not len(nearest):
        return None
    at = positions[nearest]
    close = np.linalg.norm(at[:, None] - at[None], axis=-1) < NEAR
    return np.asarray(at[close[close.sum(axis=1).argmax()]].mean(axis=0))


def read_names(file: Path) -> list[str]:
    """Names to name groups by, one a line. Raises InputError."""
    try:
        names = list(dict.fromkeys(filter(None, map(str.strip, file.read_text(encoding="utf-8").splitlines()))))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read the names in {file}: {error}") from None
    if not names:
        raise InputError(f"expected one name a line in {file}, got nothing")
    return names


def _rounded(position: np.ndarray) -> tuple[float, float]:
    return round(float(position[0]), 4), round(float(position[1]), 4)
