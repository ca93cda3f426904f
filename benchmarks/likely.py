"""How honest the mark of likely hits is: absent things that are marked, and true hits that are not.

    SEESAY_DATA=... python benchmarks/likely.py [--quick] [--json]

Caltech101's classes are dealt at random, one half into a library, the other half left out; ten times. Every class's name is
a query, put to the model as a search puts it. A query for an absent class is right if nothing is marked likely. Of a present
class the true hits are its pictures among the first 15; lost are those that are marked unlikely. Peer: one cosine for all
queries from which hits are likely, the one that is right for as many absent classes. Then the same for queries that take
another class away, one that is present. A broad library and what people type are measured by everyday.py.

Goals: for at most a quarter of the absent queries anything is likely, and at most 10 % of the true hits are unlikely.
"""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from benchmark import Goal, Result, Table, run

import seesay
from seesay.evaluation.datasets import read_labels
from seesay.library.search.background import NEAREST, Background, Form, corrections, form_of, phrase_vectors, search_spec
from seesay.library.search.relevance import Relevance, Scale
from seesay.library.search.terms import Terms
from seesay.models.config import SearchSpec
from seesay.models.vectors import top_k
from seesay.tasks.phrasing import phrase, query_embeddings

SPLITS = 10
SHOWN = 15  # pictures of a class


@dataclass(frozen=True)
class Split:
    """What one library did. Shares of absent queries with nothing likely (right), of true hits unlikely (lost), of false hits
    likely (noise); the absent queries' best cosines, the true hits' cosines."""

    right: float
    lost: float
    noise: float
    tops: np.ndarray
    hits: np.ndarray


def measure(quick: bool) -> Result:
    result = Result()
    data = os.environ.get("SEESAY_DATA")
    if data is None:
        result.notes.append("Caltech101 is needed: SEESAY_DATA=folder with caltech101/labels.tsv")
        return result
    model = seesay.load()
    labelled = read_labels(Path(data) / "caltech101" / "labels.tsv")
    vectors, labels = model.encode_image(list(labelled.images)), np.asarray(labelled.labels)
    names = [name.replace("_", " ") for name in labelled.names]
    spec = search_spec(model)
    queries, phrases = query_embeddings(model, names, spec.templates), phrase_vectors(model)
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
        told = {"right": right, "lost": lost, "false_hits_likely": noise, "threshold": threshold, "threshold_lost": peer_lost}
        result.figures |= {prefix + name: round(value, 4) for name, value in told.items()}
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
    """less: each query takes another, present class away."""
    classes = len(queries)
    present = np.isin(np.arange(classes), np.random.default_rng(seed).permutation(classes)[: classes // 2])
    inside, own = vectors[present[labels]], labels[present[labels]]
    background = Background.empty(0, len(phrases)).extended(inside, phrases, spec)
    absent = background.absent
    assert absent is not None  # there are pictures
    right, true, lost, false, noise = [], 0, 0, 0, 0
    tops: list[float] = []
    hits: list[float] = []
    others = np.random.default_rng(seed + 1000)
    for at, query in enumerate(queries):
        form, scale = (Form.LESS, forms[at][1]) if less else forms[at]
        rule = corrections(spec)[form]
        cosines = inside @ query
        highest = ranks = rule.ranks(cosines, background.hubs, background.spreads)
        if less:
            other = queries[others.choice([other for other in np.flatnonzero(present) if other != at])]
            taken = rule.ranks(inside @ other, background.hubs, background.spreads)
            ranks = highest - Terms(query, ((other, 1.0),)).penalty([taken])
        best = top_k(ranks, SHOWN)
        usual = rule.typical(background.hubs, background.spreads)[top_k(highest, NEAREST)].mean()
        likely = ranks[best] >= Relevance(absent[form], float(highest.max()), float(usual), scale).least
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
