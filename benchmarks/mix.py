"""Pictures mixed with words, and ways between pictures: what of `seesay mix` finds better pictures.

    SEESAY_DATA=... python benchmarks/mix.py [--quick] [--json]

Flickr8k's val split, 1,000 photos with five captions each. A picture that shows one thing (at least three captions name it,
such as dog) and not another (no caption names it, such as snow) is mixed with the word for the other; right is whatever shows
both (two captions name each). Ten pictures of each pair of words for which at least five photos are right. Ways to add a text
to a picture: the plain sum of unit vectors; the text moved by the difference of the mean picture and the mean word, into the
pictures' cone; only what the text adds to the mean word; and in spreads, each vector divided by the standard deviation of its
cosines with the photos, which is what the command does in a library. Alone: the picture, the word, and the word of the
picture's thing beside the other ("dog snow"), which a user could have typed instead.

Ways: from a photo that shows one thing to one that shows another, each without the other; right is what shows both.

Goals: in spreads finds more than the plain sum of the same weights; the middle of a way shows both more often than its ends.
"""

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from benchmark import Goal, Result, Table, run
from pictures import flickr_val

import seesay
from seesay.evaluation.bootstrap import mean_intervals
from seesay.evaluation.features import picture_features
from seesay.generation.interpolation import way
from seesay.models.vectors import normalize

THINGS = ("dog", "man", "woman", "child", "boy", "girl", "people", "baby", "bike")
OTHERS = (
    *("snow", "beach", "water", "grass", "street", "mountain", "ball", "red", "blue", "pool", "car", "field", "sand", "rock"),
    *("tree", "hat", "jumping", "running", "sitting", "black", "white", "yellow", "night", "crowd", "soccer"),
)
RIGHT, PICTURES = 5, 10
WEIGHTS = (0.5, 1.0, 2.0, 4.0)
Make = Callable[[np.ndarray, str, str], np.ndarray]  # a picture's vector, its thing, the other thing -> the query (D,)

Change = Callable[[np.ndarray], np.ndarray]


class Query(NamedTuple):
    """picture: its number. pair: number of the pair of words. right: (N,) bool."""

    picture: int
    thing: str
    other: str
    pair: int
    right: np.ndarray


def measure(quick: bool) -> Result:
    result = Result()
    captions = flickr_val()
    if captions is None:
        result.notes.append("Flickr8k is needed: SEESAY_DATA=folder with flickr8k")
        return result
    model = seesay.load()
    vectors = picture_features(model, list(captions)).vectors
    named = {word: _naming(list(captions.values()), word) for word in (*THINGS, *OTHERS)}
    queries = list(_queries(named, 2 if quick else PICTURES))
    words = dict(zip(named, model.encode_text(list(named)), strict=True))
    both = {(a, b): model.encode_text(f"{a} {b}")[0] for a in THINGS for b in OTHERS}
    _mixes(result, vectors, queries, words, both)
    _ways(result, vectors, named, 2 if quick else PICTURES)
    return result


def _naming(captions: list[list[str]], word: str) -> np.ndarray:
    """How many captions of each photo name a word, or its plural: (N,)."""
    pattern = re.compile(rf"\b{word}(s|es)?\b", re.IGNORECASE)
    return np.array([sum(bool(pattern.search(text)) for text in texts) for texts in captions])


def _queries(named: dict[str, np.ndarray], most: int) -> Iterator[Query]:
    generator, pair = np.random.default_rng(0), 0
    for thing in THINGS:
        for other in OTHERS:
            right = (named[thing] >= 2) & (named[other] >= 2)
            sources = np.flatnonzero((named[thing] >= 3) & (named[other] == 0))
            if right.sum() < RIGHT or len(sources) < PICTURES:
                continue
            for picture in generator.permutation(sources)[:most]:
                yield Query(int(picture), thing, other, pair, right)
            pair += 1


def _mixes(
    result: Result,
    vectors: np.ndarray,
    queries: list[Query],
    words: dict[str, np.ndarray],
    both: dict[tuple[str, str], np.ndarray],
) -> None:
    scores = {name: _scores(make, vectors, queries) for name, make in _mixed_ways(vectors, words, both).items()}
    pairs = np.array([query.pair for query in queries])
    rows: list[tuple[str, ...]] = []
    for name in sorted(scores, key=lambda name: (" × " in name, name.rpartition(" × ")[0])):
        mean, bounds = scores[name].mean(axis=0), mean_intervals(scores[name], pairs)
        rows.append(
            (name, *(f"{m:.1%} ({100 * low:.1f}-{100 * high:.1f})" for m, (low, high) in zip(mean, bounds, strict=True)))
        )
    title = f"{len(queries)} pictures with a word, {len(set(pairs.tolist()))} pairs of words; 95 % intervals over pairs"
    result.tables.append(Table(title, ("", "right among the first 10", "mean average precision"), rows))
    for w in WEIGHTS[1:3]:
        plain, ours = (scores[f"{name} × {w:g}"][:, 0].mean() for name in ("plain sum, the word", "in spreads"))
        result.goals.append(Goal(f"right among the first 10: plain sum to in spreads, weight {w:g}", float(plain / ours), 1))
    result.figures["mix"] = {name: [round(float(mean), 4) for mean in found.mean(axis=0)] for name, found in scores.items()}


def _mixed_ways(vectors: np.ndarray, words: dict[str, np.ndarray], both: dict[tuple[str, str], np.ndarray]) -> dict[str, Make]:
    """Each way to make a query of a picture and a word."""
    mean_picture, mean_word = vectors.mean(axis=0), np.stack(list(words.values())).mean(axis=0)

    def in_spreads(vector: np.ndarray) -> np.ndarray:
        return np.asarray(vector / (vectors @ vector).std())

    def moved(text: np.ndarray) -> np.ndarray:
        return normalize(text - mean_word + mean_picture)

    def added(text: np.ndarray) -> np.ndarray:
        return np.asarray(text - mean_word)

    def summed(weight: float, of_picture: Change, of_word: Change) -> Make:
        return lambda picture, thing, other: of_picture(picture) + weight * of_word(words[other])

    def same(vector: np.ndarray) -> np.ndarray:
        return vector

    ways: dict[str, Make] = {
        "the picture alone": lambda picture, thing, other: picture,
        "the word alone": lambda picture, thing, other: words[other],
        "both words typed": lambda picture, thing, other: both[thing, other],
    }
    for weight in WEIGHTS:
        ways |= {
            f"plain sum, the word × {weight:g}": summed(weight, same, same),
            f"moved into the pictures' cone × {weight:g}": summed(weight, same, moved),
            f"what it adds to the mean word × {weight:g}": summed(weight, same, added),
            f"in spreads × {weight:g}": summed(weight, in_spreads, in_spreads),
        }
    return ways


def _scores(make: Make, vectors: np.ndarray, queries: list[Query]) -> np.ndarray:
    """Of each query the share of right ones among the first 10, and the average precision: (Q, 2). Without its own picture."""
    found = np.empty((len(queries), 2))
    for at, query in enumerate(queries):
        cosines = vectors @ make(vectors[query.picture], query.thing, query.other)
        cosines[query.picture] = -np.inf
        right = query.right[np.argsort(-cosines, kind="stable")]
        places = np.flatnonzero(right)
        found[at] = right[:10].mean(), ((np.arange(len(places)) + 1) / (places + 1)).mean()
    return found


def _ways(result: Result, vectors: np.ndarray, named: dict[str, np.ndarray], most: int) -> None:
    generator = np.random.default_rng(1)
    shares, count = np.zeros(5), 0
    for first in THINGS:
        for second in OTHERS:
            right = (named[first] >= 2) & (named[second] >= 2)
            from_, to = (np.flatnonzero((named[a] >= 3) & (named[b] == 0)) for a, b in ((first, second), (second, first)))
            if right.sum() < RIGHT or min(len(from_), len(to)) < PICTURES:
                continue
            for a, b in zip(generator.permutation(from_)[:most], generator.permutation(to)[:most], strict=True):
                path = way(vectors[[a, b]], 5)
                shares += [_first_right(vectors, point, right, (a, b)) for point in path]
                count += 1
    shares /= count
    rows: list[tuple[str, ...]] = [
        (f"{at:.0%} of the way", f"{share:.1%}") for at, share in zip(np.linspace(0, 1, 5), shares, strict=True)
    ]
    result.tables.append(Table(f"Shows both, of the first 10 pictures on {count} ways", ("", "right"), rows))
    ends = float(max(shares[0], shares[-1]))
    result.goals.append(Goal("ways: the better end to the middle, pictures that show both", ends / float(shares[2]), 1))
    result.figures["way"] = [round(float(share), 4) for share in shares]


def _first_right(vectors: np.ndarray, point: np.ndarray, right: np.ndarray, given: tuple[int, int]) -> float:
    cosines = vectors @ point
    cosines[list(given)] = -np.inf
    return float(right[np.argsort(-cosines, kind="stable")[:10]].mean())


if __name__ == "__main__":
    run("mix", __doc__ or "", measure)
