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
CALTECH = {  # labels that are unusual in language
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
class KeyedScore:
    """A score with a short key, for comparing models."""

    key: str
    score: CardScore


def scores(model: Model, data: Path, work: Path) -> Iterator[KeyedScore]:
    """All scores. work: the folder of the recipe's packages, whose dictionaries define the scored words."""
    for language, shown in (("en", "English"), ("zh", "Chinese")):
        captions = read_captions(data / "flickr8k" / "captions.tsv", language=language, split="val")
        retrieval = run_retrieval("", model, captions)
        for way, direction in retrieval.retrieval.directions.items():
            for metric, value in direction.recall.items():
                key = f"{language} {'t2i' if way.startswith('text') else 'i2t'} {metric}"
                yield KeyedScore(
                    key,
                    _score(
                        f"Flickr8k val, {shown}", f"{way.replace('_', ' ')} {metric}", value, direction.bounds[metric], FLICKR
                    ),
                )
    yield from _by_words(model, data, work)
    for key, labels, templates, note in _labelled(data):
        run = run_zero_shot("", model, labels, templates)
        yield KeyedScore(key, _score(f"zero-shot {key}", "top-1", run.score.top1, run.bounds["top1"], note))


def _by_words(model: Model, data: Path, work: Path) -> Iterator[KeyedScore]:
    """Scores of one-word searches; a photo is relevant if two of its captions contain the word (`words.scored_words`)."""
    captions = materials.captions(data / "flickr8k" / "captions.tsv", "val")
    images = picture_features(model, [data / "flickr8k" / "images" / image for image in captions]).vectors
    words = scored_words(captions, entries(work), nouns.nouns(work))
    for language, shown in (("en", "English"), ("zh", "Chinese")):
        language_words = [word for word in words if word.language == language]
        values = np.array(list(word_metrics(model, language_words, images)))
        bounds = mean_intervals(values)
        note = f"{len(language_words)} words that two captions of a photo agree on, by the word alone"
        for metric, value, interval in zip(BY_WORD, values.mean(axis=0), bounds, strict=True):
            key = f"{language} words {metric}"
            yield KeyedScore(key, _score(f"Flickr8k val, single words, {shown}", metric, float(value), interval, note))


def word_metrics(model: Model, words: Sequence[Word], images: np.ndarray) -> Iterator[tuple[float, float, float]]:
    """The metrics of `BY_WORD`, for each word."""
    cosines = model.encode_text([word.text for word in words]) @ images.T
    for word, row in zip(words, cosines, strict=True):
        hits = np.isin(np.argsort(-row, kind="stable"), word.photos)
        precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
        yield float(hits[:3].any()), float(hits[:10].mean()), float(precision[hits].mean())


# Radford et al. 2021 use prompts for each set, too. Of a dozen tried on the train part these are the best.
IN_SHOPS = ("a pile of {}s", "{}s for sale", "a box of {}s", "a package of {}", "a carton of {}")
FLICKR = "1,000 photos, five captions each"


def _labelled(data: Path) -> Iterator[tuple[str, Labels, tuple[str, ...], str]]:
    note_in_domain = "one photo per ImageNet class, 1,000 names; in-domain: the image tower was trained on ImageNet"
    table = data / "photos-1k" / "labels.tsv"
    yield "photos-1k en", read_labels(table, column="en"), TEMPLATES, note_in_domain
    yield "photos-1k zh", read_labels(table, column="zh"), TEMPLATES_ZH, note_in_domain
    yield "caltech101", caltech(data), TEMPLATES, "1,515 photos, 101 names"
    yield "cifar10", read_labels(data / "cifar10" / "labels.tsv"), TEMPLATES, "2,000 photos of 32 x 32 pixels, 10 names"
    parts = [_grocery(data, part) for part in ("train", "val")]
    note = "296 supermarket photos of the set's val part, 43 names"
    yield "grocery", parts[1], IN_SHOPS, f"{note}; prompts of what lies in shops, chosen on the set's train part"
    yield "grocery, short prompts", parts[1], TEMPLATES, note
    both = Labels(parts[0].images + parts[1].images, np.concatenate([p.labels for p in parts]), parts[0].names)
    yield "grocery, all", both, IN_SHOPS, "1,616 supermarket photos, 43 names; prompts of what lies in shops"


def _grocery(data: Path, part: str) -> Labels:
    labels = read_labels(data / "grocery" / f"{part}.tsv", column="coarse", names=NAMES / "grocery" / "coarse.txt")
    return Labels(labels.images, labels.labels, tuple(name.lower() for name in labels.names))


def caltech(data: Path) -> Labels:
    """Caltech101 with common names."""
    return _renamed(read_labels(data / "caltech101" / "labels.tsv"), CALTECH)


def _renamed(labels: Labels, names: dict[str, str]) -> Labels:
    """The labels with other names; labels of the same name are merged."""
    names_by_label = [names.get(name, name) for name in labels.names]
    distinct = list(dict.fromkeys(names_by_label))
    number = np.array([distinct.index(name) for name in names_by_label])
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
    rows = list(scores(seesay.load(options.folder), options.data, options.work))
    if options.json:
        print(json.dumps({f.key: f.score.value for f in rows}, indent=1))
    else:
        for f in rows:
            print(f"{f.key:23} {100 * f.score.value:5.1f}   {f.score.note.split(';')[0]}")


if __name__ == "__main__":
    main()
