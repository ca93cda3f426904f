"""Precision of queries with a negative term: of `beach - people`, how many of the first ten show a beach and nobody.

The queries are pairs of everyday.tsv's needs. Right are photos that show the first and not the second; those that are not
judged for one of them are skipped. Peers, in the same library: the first need alone, and the difference of both vectors.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from benchmark import Goal, Result, Table
from mixed_library import MixedLibrary
from needs import Judgement, Need
from rankings import CUT, condensed, quality

from seesay.library.search.background import search_spec
from seesay.models.vectors import normalize
from seesay.tasks.phrasing import query_embeddings

PAIRS = (
    ("beach", "people"),
    ("snow", "dog"),
    ("snow", "people"),
    ("dog", "grass"),
    ("dog", "ball"),
    ("dog", "water"),
    ("water", "dog"),
    ("water", "people"),
    ("ball", "dog"),
    ("boy", "ball"),
    ("bicycle", "people"),
    ("mountain", "snow"),
    ("street", "car"),
    ("grass", "dog"),
    ("man", "hat"),
    ("woman", "child"),
    ("boat", "people"),
    ("horse", "people"),
)
PAGE = 100
GOAL = 0.65  # precision at ten


def compare(result: Result, mixed: MixedLibrary, needs: Sequence[Need], judgements: Mapping[str, Judgement]) -> None:
    """Adds a table, figures and a goal to the result."""
    by_key = {need.key: need for need in needs}
    pairs = [pair for pair in PAIRS if all(key in by_key for key in pair)]
    rows: list[tuple[str, ...]] = []
    scores: dict[str, list[float]] = {}
    for first, second in pairs:
        one, other = judgements[first], judgements[second]
        right, unjudged = one.right - other.right - other.unjudged, one.unjudged | (one.right & other.unjudged)
        if not right:
            continue
        cells = []
        for language in ("en", "zh"):
            a, b = by_key[first].queries[language], by_key[second].queries[language]
            rankings = {
                "less": _pages(mixed, f"{a} - {b}"),
                "alone": _pages(mixed, a),
                "vector": _by_vector(mixed, a, b),
            }
            for way, ranking in rankings.items():
                gains = [number in right for number in condensed(ranking, unjudged)]
                score = quality(gains, len(right)).precision / min(1, len(right) / CUT)
                scores.setdefault(f"{language} {way}", []).append(score)
                cells.append(f"{score:.0%}")
        rows.append((f"{first} - {second}", str(len(right)), *cells))
    if not rows:
        return
    means = {way: float(np.mean(each)) for way, each in scores.items()}
    rows.append((f"mean of {len(rows)}", "", *(f"{mean:.1%}" for mean in means.values())))
    header = ("query", "right", "en", "first alone", "vectors", "zh", "first alone", "vectors")
    result.tables.append(Table(f"Of the first {CUT}, or of as many as are right, show the one and not the other", header, rows))
    result.figures["subtraction"] = {way: round(mean, 4) for way, mean in means.items()}
    result.goals.append(Goal("subtraction, English: share of the first ten that is wrong", 1 - means["en less"], 1 - GOAL))


def _pages(mixed: MixedLibrary, query: str) -> list[list[int]]:
    return [[mixed.number(hit.path) for hit in mixed.library.search(query, n=PAGE)]]


def _by_vector(mixed: MixedLibrary, a: str, b: str) -> list[list[int]]:
    model = mixed.library.model
    one, other = query_embeddings(model, [a, b], search_spec(model).templates)
    return [[mixed.number(hit.path) for hit in mixed.library.search_vector(normalize(one - other), n=PAGE)]]
