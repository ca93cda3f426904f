"""What quantization costs a model on a dataset: cosines between both builds' vectors, and changes of scores."""

from dataclasses import dataclass

import numpy as np

from seesay.evaluation.classification import score_classification
from seesay.evaluation.datasets import Captions, Labels
from seesay.evaluation.retrieval import recalls
from seesay.model import Model
from seesay.tasks.prompts import label_embeddings


@dataclass(frozen=True)
class Spread:
    """The distribution of cosines between both builds' vectors of the same input."""

    count: int
    mean: float
    percentile_1: float
    least: float


@dataclass(frozen=True)
class Change:
    """A score in 0..1 of both builds: wide, the full-precision one, and narrow, the quantized one."""

    metric: str
    wide: float
    narrow: float


@dataclass(frozen=True)
class Fidelity:
    """Cosines of picture and text vectors, and the changes of scores."""

    images: Spread
    texts: Spread | None
    changes: tuple[Change, ...]


def compare(wide: Model, narrow: Model, captions: Captions | None, labels: Labels | None) -> Fidelity:
    """Compares the full-precision (wide) and the quantized (narrow) build on pictures with captions, labels or both.

    Raises UnreadableImage.
    """
    images = list(dict.fromkeys([*(captions.images if captions else ()), *(labels.images if labels else ())]))
    number = {image: i for i, image in enumerate(images)}
    pictures = [model.encode_image(images) for model in (wide, narrow)]
    changes: list[Change] = []
    texts = None
    if captions:
        rows = [number[image] for image in captions.images]
        words = [model.encode_text(captions.texts) for model in (wide, narrow)]
        texts = _spread(*words)
        first, second = (recalls(p[rows], w, captions.owner, ks=[1]) for p, w in zip(pictures, words, strict=True))
        for name, a, b in (
            ("text to image R@1", first.text_to_image, second.text_to_image),
            ("image to text R@1", first.image_to_text, second.image_to_text),
        ):
            changes.append(Change(name, a.recall["R@1"], b.recall["R@1"]))
    if labels:
        rows = [number[image] for image in labels.images]
        tops = [
            score_classification(p[rows] @ label_embeddings(model, labels.names).T, labels.labels, labels.names).top1
            for model, p in zip((wide, narrow), pictures, strict=True)
        ]
        changes.append(Change(f"zero-shot top-1 of {len(labels.names)} labels", *tops))
    return Fidelity(_spread(*pictures), texts, tuple(changes))


def _spread(wide: np.ndarray, narrow: np.ndarray) -> Spread:
    cosines = (wide * narrow).sum(axis=1)
    return Spread(len(cosines), float(cosines.mean()), float(np.percentile(cosines, 1)), float(cosines.min()))
