"""A library as a map: pictures that show alike things lie near each other, groups have names, words lie where they find.

The vectors' first fifty principal components, laid out in two dimensions by t-SNE (van der Maaten and Hinton 2008), grouped by
HDBSCAN (Campello et al. 2013); both are scikit-learn's. Near means alike; how far apart groups lie says little.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from seesay.errors import InputError, MissingExtra
from seesay.library.search.background import NEAREST, corrections, form_of, neutral_phrases, phrase_vectors, search_spec
from seesay.library.search.filters import Filters
from seesay.library.search.ranking import EVERYTHING
from seesay.library.search.relevance import Relevance
from seesay.library.storage.reads import PictureFile
from seesay.models.vectors import top_k
from seesay.system.progress import Progress
from seesay.tasks.phrasing import phrase, query_embeddings

if TYPE_CHECKING:
    from seesay.library.library import Library

COMPONENTS = 50
PERPLEXITY = 30.0  # neighbours that t-SNE keeps together
EARLY = 12.0  # how much t-SNE exaggerates at first what is near, scikit-learn's default
STEPS = 1000  # that t-SNE takes at most
FEWEST = 5  # pictures of a map
SEED = 0
NEAR = 0.06  # of the map's side: hits of a word within it count as one place
VARIOUS = "various"  # the name of a group that has none
AGREED = 1.0  # standard deviations: below, pictures of a group have another's name by chance (groups of 127 and 900 photos)
ARTICLES = {"a", "an", "the", "of"}
FOUND = 10  # pictures that say where a word lies

# called with (steps done, steps to do) of the layout, which takes most of the time

_alone = Lock()  # the number of BLAS's threads is the process's, and two that change it in turns could leave it changed


@dataclass(frozen=True)
class Spot:
    """A picture. x, y: 0 to 1, from the left and from the top; group: which of the map's, or none."""

    file: PictureFile
    x: float
    y: float
    group: int | None


@dataclass(frozen=True)
class Label:
    """What is written on the map: a group's name with its number of pictures, or a word that was asked for."""

    text: str
    x: float
    y: float
    pictures: int = 0


@dataclass(frozen=True)
class Map:
    """left_out: pictures beyond those drawn; absent: words that nothing here has to do with."""

    spots: tuple[Spot, ...]
    groups: tuple[Label, ...]
    words: tuple[Label, ...]
    absent: tuple[str, ...]
    left_out: int

    def to_json(self) -> dict[str, Any]:
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


def chart(
    library: "Library",
    *,
    filters: Filters = EVERYTHING,
    most: int = 3000,
    words: Sequence[str] = (),
    names: Sequence[str] | None = None,
    progress: Progress | None = None,
) -> Map:
    """The map of at most `most` pictures that pass the filters, evenly drawn; the same map each time.

    words: where they lie, among the pictures that they find. names: to name groups by; by default the neutral phrases, in
    English. Raises InputError where there are fewer than five pictures, MissingExtra.
    """
    if most < FEWEST:
        raise InputError(
            f"a map has at least {FEWEST} pictures, got most={most}", parameter="most", expected=f"at least {FEWEST}", got=most
        )
    if filters.min_score is not None:
        raise InputError("a map has no min_score: nothing is searched for", parameter="min_score", got=filters.min_score)
    with library.reading() as store:
        space = library.space(store)
        passing = store.passing(filters, space, "image")
        files = store.picture_files(passing.contents, filters)
        everything = library.vectors(store, space, "image")
        background = library.background(store, space, everything)
        hubs, spreads = library.measured(background, everything)
    there = np.isin(passing.contents, np.fromiter(files, dtype=np.int64))
    ids = passing.vectors[there]
    if len(ids) < FEWEST:
        raise InputError(f"a map has at least {FEWEST} pictures, and {len(ids)} pass the filters")
    drawn = np.sort(np.random.default_rng(SEED).permutation(len(ids))[:most])
    chosen, contents = ids[drawn], passing.contents[there][drawn]
    vectors = np.empty((len(chosen), space.dim), dtype=np.float32)
    for found, rows in everything.parts:
        _, at, row = np.intersect1d(chosen, found, assume_unique=True, return_indices=True)
        vectors[at] = rows[row]
    at = np.searchsorted(everything.ids, chosen)
    hubs, spreads = hubs[at], spreads[at]
    places = layout(vectors, progress)
    member = grouped(places)
    phrases = list(neutral_phrases() if names is None else names)
    meant = phrase_vectors(library.model) if names is None else library.model.encode_text(phrases)
    words = list(dict.fromkeys(words))
    spec = search_spec(library.model)
    told: list[np.ndarray | None] = []
    for word, vector in zip(words, query_embeddings(library.model, words, spec.templates) if words else (), strict=True):
        form, scale = form_of([phrase(word)])
        rule = corrections(spec)[form]
        ranks, typical = rule.ranks(vectors @ vector, hubs, spreads), rule.typical(hubs, spreads)
        relevance = None
        if background.absent is not None:
            nearest = typical[top_k(ranks, NEAREST)].mean()
            relevance = Relevance(background.absent[form], float(ranks.max()), float(nearest), scale)
        told.append(located(ranks, places, relevance))
    return Map(
        tuple(
            Spot(files[content][0], *_rounded(place), None if group < 0 else group)
            for content, place, group in zip(contents.tolist(), places, member.tolist(), strict=True)
        ),
        tuple(
            Label(name, *_rounded(np.median(places[member == group], axis=0)), int((member == group).sum()))
            for group, name in enumerate(named(vectors, member, meant, phrases))
        ),
        tuple(Label(word, *_rounded(at)) for word, at in zip(words, told, strict=True) if at is not None),
        tuple(word for word, at in zip(words, told, strict=True) if at is None),
        len(ids) - len(chosen),
    )


def layout(vectors: np.ndarray, progress: Progress | None = None) -> np.ndarray:
    """(N, D) at unit length, N >= 5 -> (N, 2) from 0 to 1, with a margin. Raises MissingExtra."""
    try:
        from sklearn.decomposition import PCA
        from sklearn.manifold import TSNE
        from threadpoolctl import threadpool_limits  # scikit-learn's own dependency
    except ImportError:
        raise MissingExtra("a map", "map") from None
    told = _Told(progress)
    if np.ptp(vectors, axis=0).max() < 1e-6:  # one and the same picture throughout
        told.end()
        return np.full((len(vectors), 2), 0.5)
    few = min(COMPONENTS, len(vectors) - 1, vectors.shape[1])
    near = min(PERPLEXITY, (len(vectors) - 1) / 3)
    rate = _Rate(max(len(vectors) / EARLY / 4, 50.0), told.step)  # scikit-learn's "auto"
    # One thread: a thousand steps of a few milliseconds, at the end of which threads wait for each other in loops that take
    # whole cores. Two took 2 to 7 times as long on two cores, the more the busier (benchmarks/map.py).
    with _alone, threadpool_limits(1):
        reduced = PCA(few, random_state=SEED).fit_transform(vectors.astype(np.float64))
        tsne = TSNE(
            2, perplexity=near, early_exaggeration=EARLY, learning_rate=rate, max_iter=STEPS, init="pca", random_state=SEED
        )
        places = tsne.fit_transform(reduced)
    told.end()
    low, high = places.min(axis=0), places.max(axis=0)
    return np.asarray(0.04 + 0.92 * (places - low) / np.maximum(high - low, 1e-6), dtype=np.float64)


class _Told:
    """Counts the layout's steps for whoever wants to know."""

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
    """A learning rate that tells when it is used. scikit-learn's t-SNE reports nothing while it runs; but each of its steps is
    the gradient times this, once."""

    def __new__(cls, value: float, used: Callable[[], None]) -> "_Rate":
        rate = super().__new__(cls, value)
        rate.used = used
        return rate

    used: Callable[[], None]

    def __mul__(self, gradient: Any) -> Any:
        self.used()
        return np.float64(self) * gradient  # what "auto" is, which decides in what precision the step is taken


def grouped(places: np.ndarray) -> np.ndarray:
    """(N, 2) -> (N,) the group of each place, from 0, the largest first; -1 outside of any."""
    from sklearn.cluster import HDBSCAN

    found = HDBSCAN(min_cluster_size=max(4, len(places) // 60), min_samples=3, copy=True).fit_predict(places)
    sizes = np.bincount(found[found >= 0]) if (found >= 0).any() else np.empty(0, dtype=np.int64)
    order = np.empty(len(sizes), dtype=np.int64)
    order[np.argsort(-sizes, kind="stable")] = np.arange(len(sizes))
    return np.where(found >= 0, order[found], -1) if len(sizes) else found


def named(vectors: np.ndarray, member: np.ndarray, meant: np.ndarray, phrases: Sequence[str]) -> list[str]:
    """vectors (N, D), member (N,), meant (B, D) of the phrases -> for each group the two phrases that fit it most beyond what
    they fit all pictures, and that have no word in common; VARIOUS where no phrase says what its pictures share."""
    fits = vectors @ meant.T
    usual, spread = fits.mean(axis=0), fits.std(axis=0)
    names = []
    for group in range(member.max() + 1):
        beyond = fits[member == group] - usual
        if _agreement(beyond / np.maximum(spread, 1e-6)) < AGREED and spread.max() > 1e-6:
            names.append(VARIOUS)
            continue
        order = np.argsort(-beyond.mean(axis=0), kind="stable")
        first = phrases[order[0]]
        others = (phrases[at] for at in order[1:] if not _related(first, phrases[at]))
        names.append(", ".join([first, *islice(others, 1)]))
    return names


def _agreement(lifts: np.ndarray) -> float:
    """(n, B) -> by how many standard deviations a picture fits the phrase that the others of its group choose, on average. Of
    phrases that are chosen by all, some fit any few pictures."""
    if len(lifts) < 2:
        return float("inf")
    chosen = (lifts.sum(axis=0) - lifts).argmax(axis=1)
    return float(np.take_along_axis(lifts, chosen[:, None], axis=1).mean())


def _related(one: str, other: str) -> bool:
    """One has a word of the other, also as a part of a word, since English has plurals and Chinese has no spaces."""
    words = [(word, other) for word in one.split()] + [(word, one) for word in other.split()]
    return any(word in text for word, text in words if word not in ARTICLES)


def located(ranks: np.ndarray, places: np.ndarray, relevance: Relevance | None) -> np.ndarray | None:
    """A word's ranks (N,) of pictures at places (N, 2) -> (2,): the middle of those of its best hits that lie together; None
    where no picture is likely to show it."""
    nearest = top_k(ranks, FOUND)
    if relevance is not None:
        nearest = nearest[ranks[nearest] >= relevance.least]
    if not len(nearest):
        return None
    at = places[nearest]
    together = np.linalg.norm(at[:, None] - at[None], axis=-1) < NEAR
    return np.asarray(at[together[together.sum(axis=1).argmax()]].mean(axis=0))


def read_names(file: Path) -> list[str]:
    """One name a line. Raises InputError."""
    try:
        names = list(dict.fromkeys(filter(None, map(str.strip, file.read_text(encoding="utf-8").splitlines()))))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read the names in {file}: {error}") from None
    if not names:
        raise InputError(f"expected one name a line in {file}, got nothing")
    return names


def _rounded(place: np.ndarray) -> tuple[float, float]:
    return round(float(place[0]), 4), round(float(place[1]), 4)
