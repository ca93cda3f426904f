"""Zero-shot classification: the label whose text is nearest to the image, or none of these."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from seesay.errors import InputError
from seesay.models.encoder import Encoder
from seesay.models.logits import Logits, sigmoid
from seesay.tasks.labels import Label, LabelLike, as_labels
from seesay.tasks.phrasing import averaged
from seesay.tasks.prompts import Templates, ensemble, filled

Names = Literal["mean", "max"]
NAMES = get_args(Names)
NEIGHBOURS = 20  # neutral phrases that stand for "none of these": an image's nearest


@dataclass(frozen=True)
class Classifier:
    """Labels as vectors of one model's space, to classify any number of images.

    vectors (M, D): unit vectors, label after label, `counts` of each. logits: how cosines become probabilities; another scale
    (`calibration.fitted_scale`) makes them as sure as they are right.
    """

    labels: tuple[Label, ...]
    vectors: np.ndarray
    counts: tuple[int, ...]
    logits: Logits

    @staticmethod
    def of(encoder: Encoder, labels: Iterable[LabelLike], templates: Templates = None, names: Names = "mean") -> "Classifier":
        """Encodes the prompts of all labels. labels, names: as of `classify`. Raises InputError."""
        made = as_labels(labels)
        return Classifier.of_prompts(made, encoder.encode_text(label_prompts(made, templates)), encoder.logits, names)

    @staticmethod
    def of_prompts(labels: Sequence[Label], prompts: np.ndarray, logits: Logits, names: Names = "mean") -> "Classifier":
        """prompts: unit vectors (P, D) of the texts that `label_prompts` returns. Raises InputError."""
        if names not in NAMES:
            raise InputError(f"names is one of {', '.join(NAMES)}, got {names!r}")
        counts = [len(label.names) for label in labels]
        vectors = ensemble(prompts, sum(counts))
        if names == "mean" and max(counts) > 1:
            vectors, counts = averaged(vectors, counts), [1] * len(labels)
        return Classifier(tuple(labels), vectors, tuple(counts), logits)

    def cosines(self, images: np.ndarray) -> np.ndarray:
        """Image embeddings (N, D) at unit length -> cosines (N, labels): each label's highest, where it has several vectors."""
        starts = np.concatenate([[0], np.cumsum(self.counts[:-1], dtype=np.int64)])
        return np.asarray(np.maximum.reduceat(images @ self.vectors.T, starts, axis=1))

    def probabilities(self, images: np.ndarray, rest: np.ndarray | None = None) -> np.ndarray:
        """Image embeddings (N, D) -> probabilities (N, labels) float32 (see `Logits.probabilities`).

        rest (N,): cosines of "none of these" (`none_of_these`), whose probability is then a further, last column.
        """
        cosines = self.cosines(images)
        return self.logits.probabilities(cosines if rest is None else np.column_stack([cosines, rest]))

    def single_probabilities(self, images: np.ndarray, rest: np.ndarray) -> np.ndarray:
        """For images that may show several labels: (N, labels) float32, each label against "none of these" alone.

        rest (N,): cosines of "none of these". A model with the sigmoid has probabilities of this kind of its own.
        """
        if self.logits.score == "sigmoid":
            return self.probabilities(images)
        above = self.logits.scale * (self.cosines(images) - rest[:, None])
        return sigmoid(above).astype(np.float32)


def label_prompts(labels: Sequence[Label], templates: Templates = None) -> list[str]:
    """The texts to encode for labels: every name in every template, name after name. Raises InputError."""
    return filled([name for label in labels for name in label.names], templates)


def none_of_these(images: np.ndarray, phrases: np.ndarray) -> np.ndarray:
    """Image embeddings (N, D), neutral phrases (B, D), all at unit length -> cosines (N,) of "none of these" with the images.

    An image's is the mean of those with its nearest phrases, so that it is as near to nothing in particular as it is to any
    text: what some images are to all of them (hubs, Radovanovic et al. 2010).
    """
    return nearest_mean(images @ phrases.T)


def nearest_mean(cosines: np.ndarray) -> np.ndarray:
    """Cosines of images with neutral phrases (N, B) -> the mean of the NEIGHBOURS highest (N,) float32."""
    count = min(NEIGHBOURS, cosines.shape[1])
    nearest = np.partition(cosines, cosines.shape[1] - count, axis=1)[:, -count:]
    return np.asarray(nearest.mean(axis=1, dtype=np.float32))


def classify(
    encoder: Encoder,
    images: np.ndarray,
    labels: Iterable[LabelLike],
    templates: Templates = None,
    *,
    names: Names = "mean",
    rest: np.ndarray | None = None,
) -> np.ndarray:
    """Image embeddings (N, D) at unit length -> probabilities (N, len(labels)) float32 (see `Logits.probabilities`).

    labels: names, lists of names of one label, or Labels. names: how a label with several fits an image: "mean", by the mean of
    their vectors, or "max", by the name that fits best. rest: as of `Classifier.probabilities`. Raises InputError.
    """
    return Classifier.of(encoder, labels, templates, names).probabilities(images, rest)
