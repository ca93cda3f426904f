"""The card of the bundled model: scores of the quantized and the float32 weights, fidelity, sources and limits."""

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

MAX_LOSS = 0.01  # of any score by quantization; a tenth of a point is one photo of 1,000
BATCH_TOLERANCE = 1e-4  # as stated in the card; the largest measured is printed
LICENCE = "SeeSay bundled model licence: research and personal use (src/seesay/bundled/LICENSE)"
WITHOUT = "without Flickr8k"
SOURCES = (
    *(WeightSource(p.what, f"{p.registry} {p.name} {p.version}", p.licence, p.sha256) for p in PACKAGES.values()),
    WeightSource("Flickr8k and flickr8k-cn, 6,000 photos with captions", "captions.tsv", "research, non-commercial", ""),
    WeightSource("Flickr30k, captions without photos", "captions-text/flickr30k.en.tsv", "research, non-commercial", ""),
)
PUBLISHED = (
    CardScore("zero-shot ImageNet-1k", "top-1", 0.6332, "OpenAI CLIP ViT-B/32, as measured by OpenCLIP"),
    CardScore("zero-shot ImageNet-1k", "top-1", 0.7796, "OpenCLIP ViT-H/14, LAION-2B"),
    CardScore("Flickr30k", "text to image R@1", 0.5878, "OpenAI CLIP ViT-B/32, as measured by OpenCLIP"),
    CardScore("Flickr30k", "text to image R@1", 0.7764, "OpenCLIP ViT-H/14, LAION-2B"),
)


@dataclass(frozen=True)
class MeasuredCard:
    """The card, and the logarithm of the scale that was fitted for it."""

    card: Card
    logit_scale: float


def measured_card(reference: Path, stored: Path, data: Path, variant: Path | None, work: Path) -> MeasuredCard:
    """The card of the model in `stored`, with float32 weights in `reference`. Raises SystemExit if its scores drop too much."""
    reference_model, quantized = seesay.load(reference), seesay.load(stored)
    before = {entry.key: entry.score.value for entry in scores.scores(reference_model, data, work)}
    score_rows, losses = [], []
    for entry in scores.scores(quantized, data, work):
        score_rows.append(replace(entry.score, note=f"{entry.score.note}; float32 {before[entry.key]:.4f}"))
        print(f"{entry.key:23} {entry.score.value:.4f}  float32 {before[entry.key]:.4f}   {entry.score.note}", flush=True)
        if before[entry.key] - entry.score.value >= MAX_LOSS:
            losses.append(f"{entry.key}: {entry.score.value:.4f} of {before[entry.key]:.4f}")
    if losses:
        raise SystemExit("stored narrowly, the model loses too much: " + ", ".join(losses))
    parts = tuple(_fidelity(reference_model, quantized, stored, data, part) for part in ("image", "text"))
    images = [data / "caltech101" / "images" / name for name in _caltech(data)]
    tolerance = batch_tolerance(quantized, images[::97])
    print(*parts, f"largest change of a unit vector by its batch-mates: {tolerance:.1e}", sep="\n")
    if tolerance > BATCH_TOLERANCE:
        raise SystemExit(f"a vector moves by {tolerance:.1e} with its batch-mates")
    card = Card(
        summary=SUMMARY,
        languages=("en", "zh"),
        licence=LICENCE,
        sources=(*reference_model.config.provenance, *SOURCES),
        training=TRAINING,
        scores=tuple(score_rows),
        published=PUBLISHED,
        fidelity=parts,
        batch_tolerance=BATCH_TOLERANCE,
        limits=LIMITS,
        strengths=STRENGTHS,
        variants=() if variant is None else tuple(_without_captions(variant, data, work)),
    )
    return MeasuredCard(card, _logit_scale(quantized, data))


def _without_captions(variant: Path, data: Path, work: Path) -> Iterator[CardScore]:
    for entry in scores.scores(seesay.load(variant), data, work):
        yield replace(entry.score, note=f"{WITHOUT}; {entry.score.note}")
        print(f"{entry.key:23} {entry.score.value:.4f}  {WITHOUT}", flush=True)


def _fidelity(reference_model: Model, quantized: Model, folder: Path, data: Path, part: str) -> CardFidelity:
    def vectors(model: Model) -> np.ndarray:
        if part == "image":
            return model.encode_image([data / "caltech101" / "images" / name for name in _caltech(data)])
        return model.encode_text([*read_captions(data / "flickr8k" / "captions.tsv", split="val").texts])

    cosine = (vectors(reference_model) * vectors(quantized)).sum(axis=1)
    return CardFidelity(
        part=part,
        stored_as=quantized.config.precision[part],
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
    """Logarithm of the scale with the highest likelihood of the true labels, which calibrates probabilities."""

    def loss(log_scale: float) -> float:
        logits = cosines * np.exp(log_scale)
        top = logits.max(axis=1)
        return float((np.log(np.exp(logits - top[:, None]).sum(axis=1)) + top - logits[np.arange(len(truth)), truth]).mean())

    grid = np.arange(0, 6, 0.005)
    return round(float(grid[np.argmin([loss(x) for x in grid])]), 3)


def batch_tolerance(model: Model, images: list[Path]) -> float:
    """The largest change of a unit vector by its batch-mates, over images and texts of very different kinds."""
    pixels = model.preprocess(images)
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
