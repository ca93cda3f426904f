"""Errors of the relevance mark: absent things that are marked likely, and true hits that are not.

    SEESAY_DATA=... python benchmarks/likely.py [--quick] [--json]

A random half of Caltech101's classes is put into a library, ten times. Every class's name is a query, encoded as in a search. A
query for an absent class is right if nothing is marked likely. The true hits of a present class are its pictures among the
first 15; lost are those that are marked unlikely. Peer: one cosine threshold for all queries, the one that is right for as many
absent classes. Then the same with another, present class as a negative term. everyday.py measures a broad library and real
queries.

Goals: for at most a quarter of the absent queries anything is likely, and at most 10 % of the true hits are unlikely.
"""

from dataclasses import dataclass

import numpy as np
import pictures
from benchmark import Goal, Result, Table, run

import seesay
from seesay.evaluation.datasets import read_labels
from seesay.library.search.background import (
    NEAREST,
    Background,
    Form,
    corrections,
    form_of,
    read_or_encode_phrases,
    search_spec,
)
from seesay.library.search.relevance import Relevance, Scale
from seesay.library.search.terms import Terms
from seesay.models.config import SearchSpec
from seesay.models.vectors import top_k
from seesay.tasks.phrasing import phrase, query_embeddings

SPLITS = 10
SHOWN = 15  # pictures of a class


@dataclass(frozen=True)
class Split:
    """The outcome in one library.

    right: share of absent queries with nothing likely. lost: of true hits marked unlikely. noise: of false hits marked likely.
    tops: the best cosine of each absent query. hits: the cosines of true hits.
    """

    right: float
    lost: float
    noise: float
    tops: np.ndarray
    hits: np.ndarray


def measure(quick: bool) -> Result:
    result = Result()
    data = pictures.data()
    if data is None:
        result.notes.append("Caltech101 is needed: SEESAY_DATA=folder with caltech101/labels.tsv")
        return result
    model = seesay.load()
    labelled = read_labels(data / "caltech101" / "labels.tsv")
    vectors, labels = model.encode_image(list(labelled.images)), np.asarray(labelled.labels)
    names = [name.replace("_", " ") for name in labelled.names]
    spec = search_spec(model)
    queries, phrases = query_embeddings(model, names, spec.templates), read_or_encode_phrases(model)
    forms = [form_of([phrase(name)]) for name in names]
    count = 2 if quick else SPLITS
    rows: list[tuple[str, ...]] = []
    for less in (False, True):
        splits = [_split(vectors, labels, queries, forms, phrases, spec, seed, less=less) for seed in range(count)]
        right, lost, noise = (
            float(np.mean([getattr(split, share) for split in splits])) for share in ("right", "lost", "noise")
        )
        tops, hits = np.concatenate([split.tops for split in splits]), np.concatenate([split.hits for split in splits])
        threshold = float(np.quantile(tops, right))
        peer_lost = float((hits < threshold).mean())
        what, prefix = ("a class less another", "less_") if less else ("a class", "")
        figures = {
            "right": right,
            "lost": lost,
            "false_hits_likely": noise,
            "threshold": threshold,
            "threshold_lost": peer_lost,
        }
        result.figures |= {prefix + name: round(value, 4) for name, value in figures.items()}
        rows.append((what, "by the query", f"{right:.1%}", f"{lost:.1%}", f"{noise:.1%}"))
        rows.append((what, f"cosine {threshold:.3f} for all", f"{right:.1%}", f"{peer_lost:.1%}", ""))
        result.goals += [
            Goal(f"{what}: share of absent queries with anything likely", 1 - right, 0.25),
            Goal(f"{what}: share of true hits unlikely", lost, 0.10),
        ]
    header = ("query", "likely", "absent with nothing likely", "true hits unlikely", "false hits likely")
    result.tables = [Table(f"{count} libraries of half of Caltech101's {len(queries)} classes", header, rows)]
    return result


def _split(
    vectors: np.ndarray,
    labels: np.ndarray,
    queries: np.ndarray,
    forms: list[tuple[Form, Scale]],
    phrases: np.ndarray,
    spec: SearchSpec,
    seed: int,
    *,
    less: bool,
) -> Split:
    """Tests all classes in a library of half of them. less: each query has another, present class as a negative term."""
    classes = len(queries)
    present = np.isin(np.arange(classes), np.random.default_rng(seed).permutation(classes)[: classes // 2])
    inside, own = vectors[present[labels]], labels[present[labels]]
    background = Background.empty(0, len(phrases)).extended(inside, phrases, spec)
    nulls = background.nulls
    assert nulls is not None  # there are pictures
    right, true, lost, false, noise = [], 0, 0, 0, 0
    tops: list[float] = []
    hits: list[float] = []
    others = np.random.default_rng(seed + 1000)
    for at, query in enumerate(queries):
        form, scale = (Form.DIFFERENCE, forms[at][1]) if less else forms[at]
        correction = corrections(spec)[form]
        cosines = inside @ query
        highest = ranks = correction.ranks(cosines, background.hubs, background.spreads)
        if less:
            other = queries[others.choice([other for other in np.flatnonzero(present) if other != at])]
            negative = correction.ranks(inside @ other, background.hubs, background.spreads)
            ranks = highest - Terms(query, ((other, 1.0),)).penalty([negative])
        best = top_k(ranks, SHOWN)
        typical = correction.typical(background.hubs, background.spreads)[top_k(highest, NEAREST)].mean()
        likely = ranks[best] >= Relevance(nulls[form], float(highest.max()), float(typical), scale).threshold
        if not present[at]:
            right.append(not likely.any())
            tops.append(float(cosines.max()))
            continue
        shows = own[best] == at
        true, lost = true + int(shows.sum()), lost + int((shows & ~likely).sum())
        false, noise = false + int((~shows).sum()), noise + int((~shows & likely).sum())
        hits.extend(cosines[best][shows])
    return Split(float(np.mean(right)), lost / true, noise / false, np.asarray(tops), np.asarray(hits))


if __name__ == "__main__":
    run("likely", __doc__ or "", measure)
