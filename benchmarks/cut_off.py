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

Goals: at most a quarter of the absent queries find anything, and at most 15 % of the true hits are lost.
"""

import os
from pathlib import Path

import numpy as np
from benchmark import Goal, Result, Table, run

import seesay
from seesay.evaluation.datasets import read_captions, read_labels
from seesay.library.relevance import NEAREST, Neutral, neutral_phrases
from seesay.library.sum import Sum
from seesay.model import Model
from seesay.tasks.encoder import unit
from seesay.tasks.retrieve import top_k

SPLITS = 10
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
    rows: list[tuple[str, ...]] = []
    for less in (False, True):
        splits = [_split(vectors, labels, queries, phrases, seed, less=less) for seed in range(count)]
        rejected, lost, noise = (float(np.mean([split[i] for split in splits])) for i in range(3))
        tops, hits = (np.concatenate([split[i] for split in splits]) for i in (3, 4))
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
    broad, told = _broad(model, Path(data), dict(zip(labelled.names, queries, strict=True)), phrases)
    result.figures |= told
    header = ("query", "cut-off", "absent queries rejected", "true hits lost", "false hits kept")
    result.tables = [Table(f"{count} libraries of half of Caltech101's {len(queries)} classes", header, rows), broad]
    return result


def _broad(model: Model, data: Path, classes: dict[str, np.ndarray], phrases: np.ndarray) -> tuple[Table, dict[str, float]]:
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
    for what, asked in ({"absent": absent} | everyday).items():
        found, among = [], []
        for query in asked:
            scores = library @ query
            relevance = neutral.relevance(library[top_k(scores, NEAREST)], Sum(query))
            found.append(relevance.found)
            among.append(scores.max() - relevance.typical >= np.quantile(neutral.best, 0.85))
        told |= {f"broad_{what}": float(np.mean(found)), f"broad_{what}_among_phrases": float(np.mean(among))}
    rows = [
        (how, *(f"{told[f'broad_{what}{key}']:.1%}" for what in EVERYDAY), f"{1 - told[f'broad_absent{key}']:.1%}")
        for how, key in (("by the query", ""), ("among the phrases", "_among_phrases"))
    ]
    header = ("cut-off", "English everyday words that find something", "Chinese", f"of {len(absent)} absent queries rejected")
    return Table(f"A broad library of {len(library)} photos", header, rows), {k: round(v, 4) for k, v in told.items()}


def _present(classes: int, seed: int) -> np.ndarray:
    """(classes,) bool: a half of them by chance."""
    return np.isin(np.arange(classes), np.random.default_rng(seed).permutation(classes)[: classes // 2])


def _split(
    vectors: np.ndarray, labels: np.ndarray, queries: np.ndarray, phrases: np.ndarray, seed: int, *, less: bool
) -> tuple[float, float, float, np.ndarray, np.ndarray]:
    """Shares of absent queries rejected, of true hits lost and of false ones kept; the absent queries' best cosines, and the
    true hits'. less: each query takes another, present class away."""
    classes = len(queries)
    present = _present(classes, seed)
    inside = vectors[present[labels]]
    own = labels[present[labels]]
    neutral = Neutral.of(inside, phrases)
    rejected, true, kept_true, false, kept_false = [], 0, 0, 0, 0
    tops, hits = [], []
    others = np.random.default_rng(seed + 1000)
    for at, query in enumerate(queries):
        taken = -queries[others.choice([other for other in np.flatnonzero(present) if other != at])] if less else None
        asked = Sum(query, taken)
        scores = inside @ unit(asked.vector)
        best = top_k(scores, SHOWN)
        kept = scores[best] >= neutral.relevance(inside[top_k(scores, NEAREST)], asked).least()
        if not present[at]:
            rejected.append(not kept.any())
            tops.append(scores.max())
            continue
        right = own[best] == at
        true, kept_true = true + int(right.sum()), kept_true + int((right & kept).sum())
        false, kept_false = false + int((~right).sum()), kept_false + int((~right & kept).sum())
        hits.extend(scores[best][right])
    return float(np.mean(rejected)), 1 - kept_true / true, kept_false / false, np.asarray(tops), np.asarray(hits)


if __name__ == "__main__":
    run("cut_off", __doc__ or "", measure)
