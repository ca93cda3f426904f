"""The bundled model's card: scores as stored beside float32, what storing costs, what it was made of and is bad at."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

import seesay
from recipes.bundled import scores
from recipes.bundled.packages import PACKAGES
from seesay.evaluation.datasets import read_captions, read_labels
from seesay.model import Model
from seesay.models.card import Card, CardFidelity, CardScore
from seesay.models.config import WeightSource
from seesay.models.vectors import normalize
from seesay.tasks.prompts import label_embeddings

MOST_LOST = 0.01  # of any score, by storing the weights narrowly; a tenth of a point is one photo of 1,000
BATCH_TOLERANCE = 1e-4  # stated; the largest measured is told beside it
LICENCE = "SeeSay bundled model licence: research and personal use (src/seesay/bundled/LICENSE)"
WITHOUT = "without Flickr8k"
SOURCES = (
    *(WeightSource(p.what, f"{p.registry} {p.name} {p.version}", p.licence, p.sha256) for p in PACKAGES.values()),
    WeightSource("Flickr8k and flickr8k-cn, 6,000 photos with captions", "captions.tsv", "research, non-commercial", ""),
)
PUBLISHED = (
    CardScore("zero-shot ImageNet-1k", "top-1", 0.6332, "OpenAI CLIP ViT-B/32, as measured by OpenCLIP"),
    CardScore("zero-shot ImageNet-1k", "top-1", 0.7796, "OpenCLIP ViT-H/14, LAION-2B"),
    CardScore("Flickr30k", "text to image R@1", 0.5878, "OpenAI CLIP ViT-B/32, as measured by OpenCLIP"),
    CardScore("Flickr30k", "text to image R@1", 0.7764, "OpenCLIP ViT-H/14, LAION-2B"),
)


@dataclass(frozen=True)
class Measured:
    card: Card
    logit_scale: float


def measured(reference: Path, stored: Path, data: Path, variant: Path | None, work: Path) -> Measured:
    """The card of the model in `stored`, with float32 weights in `reference`. Raises SystemExit where storing cost too much."""
    exact, narrow = seesay.load(reference), seesay.load(stored)
    full = {found.key: found.score.value for found in scores.scores(exact, data, work)}
    kept, lost = [], []
    for found in scores.scores(narrow, data, work):
        kept.append(replace(found.score, note=f"{found.score.note}; float32 {full[found.key]:.4f}"))
        print(f"{found.key:23} {found.score.value:.4f}  float32 {full[found.key]:.4f}   {found.score.note}", flush=True)
        if full[found.key] - found.score.value >= MOST_LOST:
            lost.append(f"{found.key}: {found.score.value:.4f} of {full[found.key]:.4f}")
    if lost:
        raise SystemExit("stored narrowly, the model loses too much: " + ", ".join(lost))
    parts = tuple(_fidelity(exact, narrow, stored, data, part) for part in ("image", "text"))
    pictures = [data / "caltech101" / "images" / name for name in _caltech(data)]
    tolerance = batch_tolerance(narrow, pictures[::97])
    print(*parts, f"largest change of a unit vector by its batch-mates: {tolerance:.1e}", sep="\n")
    if tolerance > BATCH_TOLERANCE:
        raise SystemExit(f"a vector moves by {tolerance:.1e} with its batch-mates")
    card = Card(
        summary=SUMMARY,
        languages=("en", "zh"),
        licence=LICENCE,
        sources=(*exact.config.provenance, *SOURCES),
        training=TRAINING,
        scores=tuple(kept),
        published=PUBLISHED,
        fidelity=parts,
        batch_tolerance=BATCH_TOLERANCE,
        limits=LIMITS,
        strengths=STRENGTHS,
        variants=() if variant is None else tuple(_without_captions(variant, data, work)),
    )
    return Measured(card, _logit_scale(narrow, data))


def _without_captions(variant: Path, data: Path, work: Path) -> Iterator[CardScore]:
    for found in scores.scores(seesay.load(variant), data, work):
        yield replace(found.score, note=f"{WITHOUT}; {found.score.note}")
        print(f"{found.key:23} {found.score.value:.4f}  {WITHOUT}", flush=True)


def _fidelity(exact: Model, narrow: Model, folder: Path, data: Path, part: str) -> CardFidelity:
    def vectors(model: Model) -> np.ndarray:
        if part == "image":
            return model.encode_image([data / "caltech101" / "images" / name for name in _caltech(data)])
        return model.encode_text([*read_captions(data / "flickr8k" / "captions.tsv", split="val").texts])

    cosine = (vectors(exact) * vectors(narrow)).sum(axis=1)
    return CardFidelity(
        part=part,
        stored_as=narrow.config.precision[part],
        megabytes=round((folder / f"{part}.onnx").stat().st_size / 1e6, 1),
        cosine_mean=round(float(cosine.mean()), 6),
        cosine_min=round(float(cosine.min()), 6),
        note=f"{len(cosine)} {'Flickr8k val captions' if part == 'text' else 'Caltech101 photos'}, against float32",
    )


def _caltech(data: Path) -> list[str]:
    return [Path(str(image)).name for image in read_labels(data / "caltech101" / "labels.tsv").images]


def _logit_scale(model: Model, data: Path) -> float:
    labels = scores.caltech(data)
    names = label_embeddings(model, labels.names)
    return fit_logit_scale(model.encode_image(list(labels.images)) @ names.T, labels.labels)


def fit_logit_scale(cosines: np.ndarray, truth: np.ndarray) -> float:
    """log of the scale that gives true labels the highest likelihood: probabilities then mean what they say."""

    def loss(log_scale: float) -> float:
        logits = cosines * np.exp(log_scale)
        top = logits.max(axis=1)
        return float((np.log(np.exp(logits - top[:, None]).sum(axis=1)) + top - logits[np.arange(len(truth)), truth]).mean())

    grid = np.arange(0, 6, 0.005)
    return round(float(grid[np.argmin([loss(x) for x in grid])]), 3)


def batch_tolerance(model: Model, pictures: list[Path]) -> float:
    """How much a vector moves with its batch-mates: alone against together, pictures and texts of very different kinds."""
    pixels = model.preprocess(pictures)
    texts = ["cat", "a photo of a dog on grass", "word " * 90, "Two people walk along a beach at sunset.", "雪地里的两只狗"]
    pairs = [
        (model.encode_pixels(pixels), np.concatenate([model.encode_pixels(p[None]) for p in pixels])),
        (model.encode_text(texts), np.concatenate([model.encode_text(t) for t in texts])),
    ]
    return max(float(np.abs(normalize(a) - normalize(b)).max()) for a, b in pairs)


SUMMARY = (
    "A small picture-and-text model for English and Chinese that runs offline on any CPU: EfficientNet-Lite2 and MiniLM, "
    "trained together on captions of photos, on drawings with their names, and on names held where ImageNet's classes are."
)
TRAINING = (
    "MiniLM got Chinese characters and learnt what they mean from a dictionary and from translated captions; then both "
    "towers learnt by contrast from 6,000 photos with captions in both languages and 13,000 drawings, four times, while "
    "names were held in their places and what tells ImageNet's classes stayed as published; the runs' mean had lessons on "
    "names of what can be seen, and its text tower on what people type; how the parts of the space count was chosen on the "
    "sets scored here (recipes/bundled)."
)
STRENGTHS = (
    "Everyday photos by a word or a sentence, in English and Chinese: people and dogs doing things, animals, vehicles, snow.",
    "Naming things among many names: ImageNet's thousand classes, and what they are kinds of.",
    "Pictures like a picture.",
    "Speed: it searches and indexes on any CPU, offline.",
)
LIMITS = (
    "What is far from photos of people and animals doing things, ImageNet's classes and what emoji show: there it guesses.",
    "Groceries on shelves and in packages, brands, documents, art styles.",
    "Counts, text in pictures, names of places and people, and relations ('left of', 'behind') are mostly lost.",
    "Chinese beyond everyday words of what can be seen is known from a dictionary only.",
    "A central square of each picture is seen; what lies at the long ends of a panorama is not.",
    "It learnt from 6,000 captioned photos; large models learnt from a hundred thousand times as many.",
    "Do not use it to identify people or to decide about them.",
)
