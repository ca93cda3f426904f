"""Where a search ends by itself: how many queries for absent things find nothing, and how many true hits are lost by it.

    SEESAY_DATA=... python benchmarks/cut_off.py [--quick] [--json]

Caltech101's classes are dealt at random, one half into a library, the other half left out; ten times. Every class's name is a
query. A query for an absent class is rejected if nothing is found. Of a present class the true hits are its pictures among the
best 15 by score alone; lost are those that the cut-off holds back. Peer: one threshold for all queries, the cosine that rejects
as many. Then the same for queries that take another class away, one that is present.

A library of someone's own shows most of what people ask for, and a cut-off that holds where little is there may fail there. So
there is a broad library too: Flickr8k's val part, the grocery set and every second photo of photos-1k. The queries are everyday
words in English and Chinese, all of them in captions of at least seven of the photos, and those of Caltech101's classes that
neither captions nor ImageNet's names speak of. Peer: finding something is standing out more than 85 of 100 phrases do.

A query's own scores have a shape too: how high the best stands over the rest, how steeply they fall behind it. The last table
asks whether that tells more: what share of the queries for present things finds something, by each measure alone and together
with ours (the sum of both, each in deviations of the absent queries), where each rejects three of four absent ones.

Goals: at most a quarter of the absent queries find anything, and at most 15 % of the true hits are lost.
"""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from benchmark import Goal, Result, Table, run

import seesay
from seesay.evaluation.datasets import read_captions, read_labels
from seesay.library.relevance import NEAREST, Neutral, Relevance, neutral_phrases
from seesay.library.sum import Sum
from seesay.model import Model
from seesay.tasks.encoder import unit
from seesay.tasks.retrieve import top_k

SPLITS = 10
REJECTED = 0.75
# Of a query: deviations by which it stands out of the phrases, height of its best score, fall of its scores behind that.
Shape = tuple[float, float, float]
MEASURES = {
    "standing out of the phrases (ours)": (1, 0, 0),
    "the height of its best score": (0, 1, 0),
    "the fall of its scores": (0, 0, 1),
    "standing out and height": (1, 1, 0),
    "standing out and fall": (1, 0, 1),
}
SHOWN = 15  # pictures of a class
EVERYDAY = {
    "en": "dog dogs man woman people children boy girl snow beach water grass ball bicycle street mountain tree horse car boat "
    "bird football skateboard basketball motorcycle lake rocks crowd tennis camera building wall",
    "zh": "狗 男人 女人 人 孩子 男孩 女孩 雪 沙滩 水 草地 球 自行车 街道 山 树 马 汽车 船 鸟 足球 滑板 篮球 摩托车 海 岩石",
}


def measure(quick: bool) -> Result:
    result = Result()
    data = os.environ.get("SEESAY_DATA")
    if data is None:
        result.notes.append("Caltech101 is needed: SEESAY_DATA=folder with caltech101/labels.tsv")
        return result
    model = seesay.load()
    labelled = read_labels(Path(data) / "caltech101" / "labels.tsv")
    vectors, labels = model.encode_image(list(labelled.images)), np.asarray(labelled.labels)
    queries = model.encode_text([name.replace("_", " ") for name in labelled.names])
    phrases = model.encode_text(neutral_phrases())
    count = 2 if quick else SPLITS
    shapes: list[tuple[bool, Shape]] = []
    rows: list[tuple[str, ...]] = []
    for less in (False, True):
        splits = [_split(vectors, labels, queries, phrases, seed, less=less) for seed in range(count)]
        shapes += [] if less else [shape for split in splits for shape in split.shapes]
        rejected, lost, noise = (
            float(np.mean([getattr(split, share) for split in splits])) for share in ("rejected", "lost", "noise")
        )
        tops, hits = np.concatenate([split.tops for split in splits]), np.concatenate([split.hits for split in splits])
        threshold = float(np.quantile(tops, rejected))
        peer_lost = float((hits < threshold).mean())
        what, prefix = ("a class less another", "less_") if less else ("a class", "")
        told = {"rejected": rejected, "lost": lost, "false_hits_kept": noise, "threshold": threshold}
        told["threshold_lost"] = peer_lost
        result.figures |= {prefix + name: round(value, 4) for name, value in told.items()}
        rows.append((what, "by the query", f"{rejected:.1%}", f"{lost:.1%}", f"{noise:.1%}"))
        rows.append((what, f"cosine {threshold:.3f} for all", f"{rejected:.1%}", f"{peer_lost:.1%}", ""))
        result.goals += [
            Goal(f"{what}: share of absent queries that find something", 1 - rejected, 0.25),
            Goal(f"{what}: share of true hits lost", lost, 0.15),
        ]
    broad, told, others = _broad(model, Path(data), dict(zip(labelled.names, queries, strict=True)), phrases)
    result.figures |= told
    header = ("query", "cut-off", "absent queries rejected", "true hits lost", "false hits kept")
    result.tables = [Table(f"{count} libraries of half of Caltech101's {len(queries)} classes", header, rows), broad]
    by_shape = {}
    for name, weights in MEASURES.items():
        by_shape[name] = [_found(queries_of, np.array(weights)) for queries_of in (shapes, others)]
        result.figures |= {f"{name}, {what}": round(by_shape[name][at], 4) for at, what in enumerate(("narrow", "broad"))}
    rows = [(name, *(f"{share:.1%}" for share in shares)) for name, shares in by_shape.items()]
    title = f"Present things that find something, where {REJECTED:.0%} of the absent are rejected"
    result.tables.append(Table(title, ("found by", "half of Caltech101", "the broad library"), rows))
    return result


def _shape(scores: np.ndarray, relevance: Relevance) -> Shape:
    """scores (N,): a query's."""
    ordered = np.sort(scores)[::-1]
    middle = np.median(ordered)
    height = (ordered[0] - middle) / np.median(np.abs(ordered - middle))
    fall = (ordered[0] - ordered[NEAREST]) / (ordered[NEAREST] - ordered[8 * NEAREST])
    return relevance.absent.deviations(float(ordered[0]) - relevance.typical), float(height), float(fall)


def _found(told: list[tuple[bool, Shape]], weights: np.ndarray) -> float:
    """The share of present ones above what REJECTED of the absent have. told: whether it is present, and its shape."""
    present, shapes = np.array([there for there, _ in told]), np.array([shape for _, shape in told])
    absent = shapes[~present]
    values = (shapes - absent.mean(axis=0)) / absent.std(axis=0) @ weights
    return float((values[present] > np.quantile(values[~present], REJECTED)).mean())


def _broad(
    model: Model, data: Path, classes: dict[str, np.ndarray], phrases: np.ndarray
) -> tuple[Table, dict[str, float], list[tuple[bool, Shape]]]:
    """classes: the queries for Caltech101's."""
    captions = read_captions(data / "flickr8k" / "captions.tsv", split="val")
    things = read_labels(data / "photos-1k" / "labels.tsv", column="en")
    groceries = [
        image for part in ("train", "val") for image in read_labels(data / "grocery" / f"{part}.tsv", column="coarse").images
    ]
    library = model.encode_image([*captions.images, *things.images[::2], *groceries])
    neutral = Neutral.of(library, phrases)
    there = " ".join([*captions.texts, *things.names]).lower()
    absent = [vector for name, vector in classes.items() if name.split("_")[0].lower().rstrip("s") not in there]
    told: dict[str, float] = {}
    everyday = {language: list(model.encode_text(words.split())) for language, words in EVERYDAY.items()}
    shapes: list[tuple[bool, Shape]] = []
    for what, asked in ({"absent": absent} | everyday).items():
        found, among = [], []
        for query in asked:
            scores = library @ query
            relevance = neutral.relevance(library[top_k(scores, NEAREST)], Sum(query))
            found.append(relevance.found)
            shapes.append((what != "absent", _shape(scores, relevance)))
            among.append(scores.max() - relevance.typical >= np.quantile(neutral.best, 0.85))
        told |= {f"broad_{what}": float(np.mean(found)), f"broad_{what}_among_phrases": float(np.mean(among))}
    rows = [
        (how, *(f"{told[f'broad_{what}{key}']:.1%}" for what in EVERYDAY), f"{1 - told[f'broad_absent{key}']:.1%}")
        for how, key in (("by the query", ""), ("among the phrases", "_among_phrases"))
    ]
    header = ("cut-off", "English everyday words that find something", "Chinese", f"of {len(absent)} absent queries rejected")
    table = Table(f"A broad library of {len(library)} photos", header, rows)
    return table, {name: round(share, 4) for name, share in told.items()}, shapes


def _present(classes: int, seed: int) -> np.ndarray:
    """(classes,) bool: a half of them by chance."""
    return np.isin(np.arange(classes), np.random.default_rng(seed).permutation(classes)[: classes // 2])


@dataclass(frozen=True)
class Split:
    """What one library did. Shares of absent queries rejected, of true hits lost, of false hits kept (noise); the absent
    queries' best cosines, the true hits' cosines; of every query whether its class is there, and its shape."""

    rejected: float
    lost: float
    noise: float
    tops: np.ndarray
    hits: np.ndarray
    shapes: list[tuple[bool, Shape]]


def _split(
    vectors: np.ndarray, labels: np.ndarray, queries: np.ndarray, phrases: np.ndarray, seed: int, *, less: bool
) -> Split:
    """less: each query takes another, present class away."""
    classes = len(queries)
    present = _present(classes, seed)
    inside = vectors[present[labels]]
    own = labels[present[labels]]
    neutral = Neutral.of(inside, phrases)
    rejected, true, kept_true, false, kept_false = [], 0, 0, 0, 0
    tops, hits, shapes = [], [], []
    others = np.random.default_rng(seed + 1000)
    for at, query in enumerate(queries):
        taken = -queries[others.choice([other for other in np.flatnonzero(present) if other != at])] if less else None
        asked = Sum(query, taken)
        scores = inside @ unit(asked.vector)
        best = top_k(scores, SHOWN)
        relevance = neutral.relevance(inside[top_k(scores, NEAREST)], asked)
        kept = scores[best] >= relevance.least()
        shapes.append((bool(present[at]), _shape(scores, relevance)))
        if not present[at]:
            rejected.append(not kept.any())
            tops.append(scores.max())
            continue
        right = own[best] == at
        true, kept_true = true + int(right.sum()), kept_true + int((right & kept).sum())
        false, kept_false = false + int((~right).sum()), kept_false + int((~right & kept).sum())
        hits.extend(scores[best][right])
    return Split(
        float(np.mean(rejected)),
        1 - kept_true / true,
        kept_false / false,
        np.asarray(tops),
        np.asarray(hits),
        shapes,
    )


if __name__ == "__main__":
    run("cut_off", __doc__ or "", measure)
