"""Scores of a model folder on photos and captions that it was not trained on, with intervals.

`python -m recipes.bundled.scores FOLDER --data DIR`
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import seesay
from recipes.bundled import materials, nouns
from recipes.bundled.dictionary import entries
from recipes.bundled.words import Word, scored_words
from seesay.evaluation.bootstrap import mean_intervals
from seesay.evaluation.datasets import Labels, read_captions, read_labels
from seesay.evaluation.features import picture_features
from seesay.evaluation.runs import run_retrieval, run_zero_shot
from seesay.model import Model
from seesay.models.card import CardScore
from seesay.tasks.prompts import TEMPLATES, TEMPLATES_ZH

NAMES = Path(__file__).parents[1]
BY_WORD = ("any of first 3", "P@10", "mAP")
CALTECH = {  # labels that no one would say
    "Faces": "human face",
    "Faces easy": "human face",
    "Leopards": "leopard",
    "Motorbikes": "motorbike",
    "airplanes": "airplane",
    "car side": "car",
    "cougar body": "cougar",
    "flamingo head": "flamingo head",
    "inline skate": "inline skate",
    "water lilly": "water lily",
    "bass": "bass fish",
}


@dataclass(frozen=True)
class Found:
    """One figure; `key` is short, for comparing models."""

    key: str
    score: CardScore


def scores(model: Model, data: Path, work: Path) -> Iterator[Found]:
    """work: where the recipe's packages are, or are fetched to: dictionaries tell which words count."""
    for language, shown in (("en", "English"), ("zh", "Chinese")):
        captions = read_captions(data / "flickr8k" / "captions.tsv", language=language, split="val")
        retrieval = run_retrieval("", model, captions)
        for way, direction in retrieval.retrieval.directions.items():
            for metric, value in direction.recall.items():
                key = f"{language} {'t2i' if way.startswith('text') else 'i2t'} {metric}"
                yield Found(
                    key,
                    _score(
                        f"Flickr8k val, {shown}", f"{way.replace('_', ' ')} {metric}", value, direction.bounds[metric], FLICKR
                    ),
                )
    yield from _by_words(model, data, work)
    for key, labels, templates, note in _labelled(data):
        run = run_zero_shot("", model, labels, templates)
        yield Found(key, _score(f"zero-shot {key}", "top-1", run.score.top1, run.bounds["top1"], note))


def _by_words(model: Model, data: Path, work: Path) -> Iterator[Found]:
    """A search of one word finds the photos of which two captions or more say it (words.py: which words)."""
    captions = materials.captions(data / "flickr8k" / "captions.tsv", "val")
    pictures = picture_features(model, [data / "flickr8k" / "images" / image for image in captions]).vectors
    words = scored_words(captions, entries(work), nouns.nouns(work))
    for language, shown in (("en", "English"), ("zh", "Chinese")):
        asked = [word for word in words if word.language == language]
        values = np.array(list(found_by(model, asked, pictures)))
        bounds = mean_intervals(values)
        note = f"{len(asked)} words that two captions of a photo agree on, by the word alone"
        for metric, value, interval in zip(BY_WORD, values.mean(axis=0), bounds, strict=True):
            key = f"{language} words {metric}"
            yield Found(key, _score(f"Flickr8k val, single words, {shown}", metric, float(value), interval, note))


def found_by(model: Model, words: Sequence[Word], pictures: np.ndarray) -> Iterator[tuple[float, float, float]]:
    """As `BY_WORD`, for each word."""
    cosines = model.encode_text([word.text for word in words]) @ pictures.T
    for word, row in zip(words, cosines, strict=True):
        right = np.isin(np.argsort(-row, kind="stable"), word.photos)
        precision = np.cumsum(right) / np.arange(1, len(right) + 1)
        yield float(right[:3].any()), float(right[:10].mean()), float(precision[right].mean())


# As Radford et al. 2021 have prompts for every set. Of a dozen kinds tried on the train part these are the best.
IN_SHOPS = ("a pile of {}s", "{}s for sale", "a box of {}s", "a package of {}", "a carton of {}")
FLICKR = "1,000 photos, five captions each"


def _labelled(data: Path) -> Iterator[tuple[str, Labels, tuple[str, ...], str]]:
    seen = "one photo per ImageNet class, 1,000 names; in-domain: the image tower was trained on ImageNet"
    table = data / "photos-1k" / "labels.tsv"
    yield "photos-1k en", read_labels(table, column="en"), TEMPLATES, seen
    yield "photos-1k zh", read_labels(table, column="zh"), TEMPLATES_ZH, seen
    yield "caltech101", caltech(data), TEMPLATES, "1,515 photos, 101 names"
    yield "cifar10", read_labels(data / "cifar10" / "labels.tsv"), TEMPLATES, "2,000 photos of 32 x 32 pixels, 10 names"
    parts = [_grocery(data, part) for part in ("train", "val")]
    note = "296 supermarket photos of the set's val part, 43 names"
    yield "grocery", parts[1], IN_SHOPS, f"{note}; prompts of what lies in shops, chosen on the set's train part"
    yield "grocery, short prompts", parts[1], TEMPLATES, note
    both = Labels(parts[0].images + parts[1].images, np.concatenate([p.labels for p in parts]), parts[0].names)
    yield "grocery, all", both, IN_SHOPS, "1,616 supermarket photos, 43 names; prompts of what lies in shops"


def _grocery(data: Path, part: str) -> Labels:
    found = read_labels(data / "grocery" / f"{part}.tsv", column="coarse", names=NAMES / "grocery" / "coarse.txt")
    return Labels(found.images, found.labels, tuple(name.lower() for name in found.names))


def caltech(data: Path) -> Labels:
    return _called(read_labels(data / "caltech101" / "labels.tsv"), CALTECH)


def _called(labels: Labels, names: dict[str, str]) -> Labels:
    """The labels under other names; of two with one name the numbers become one."""
    called = [names.get(name, name) for name in labels.names]
    distinct = list(dict.fromkeys(called))
    number = np.array([distinct.index(name) for name in called])
    return Labels(labels.images, number[labels.labels], tuple(distinct))


def _score(task: str, metric: str, value: float, bounds: Sequence[float], note: str) -> CardScore:
    return CardScore(task, metric, round(value, 4), f"{100 * bounds[0]:.1f}-{100 * bounds[1]:.1f} %; {note}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, default=Path("out/bundled"), help="where the recipe's packages are")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = list(scores(seesay.load(options.folder), options.data, options.work))
    if options.json:
        print(json.dumps({f.key: f.score.value for f in found}, indent=1))
    else:
        for f in found:
            print(f"{f.key:23} {100 * f.score.value:5.1f}   {f.score.note.split(';')[0]}")


if __name__ == "__main__":
    main()
