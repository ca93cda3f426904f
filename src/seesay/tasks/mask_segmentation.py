"""Segmentation with a tower that was trained to draw masks: CLIPSeg (Lüddecke & Ecker 2022)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from seesay.errors import MissingCapability
from seesay.models.encoder import MaskEncoder
from seesay.models.logits import sigmoid
from seesay.models.segmenter import MOST_LABELS, NONE, Segmentation
from seesay.tasks.labels import check_labels
from seesay.tasks.masks import DETAIL_PX, segmentation, within

THRESHOLD = 0.5  # from where the model rather sees a label than not


@dataclass(frozen=True)
class MaskSegmenter:
    """A `Segmenter` of a model whose image tower draws masks.

    A pixel has the label whose mask is highest there, if its probability reaches the threshold; each mask is drawn by itself,
    so one label needs no background. Labels are used as they are, without prompts. background: phrases whose pixels have no
    label. Raises MissingCapability for preprocessing that cuts pictures off.
    """

    encoder: MaskEncoder
    background: Sequence[str] = ()
    threshold: float = THRESHOLD

    def __post_init__(self) -> None:
        spec = self.encoder.image_spec
        if spec.resize != "squash" or spec.resize_px > spec.size_px:
            raise MissingCapability(f"masks need pictures that are squashed to a square, this model's are {spec.resize}")

    def segment(self, picture: Image.Image, labels: Sequence[str]) -> Segmentation:
        """See `Segmenter`. Raises InputError for no labels, empty ones, or more than 255."""
        check_labels(labels, MOST_LABELS)
        queries = self.encoder.encode_text([*labels, *self.background])
        best, probabilities = _best(self.encoder.find_masks(picture, queries)[0], within(picture.size, DETAIL_PX))
        return segmentation(best, probabilities, labels, self.threshold, picture)


def _best(masks: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Logits (Q, h, w) -> at each point of (width, height) the number of the highest one and its probability. They are
    enlarged one at a time, for the memory."""
    best, top = np.full(size[::-1], NONE, dtype=np.uint8), np.full(size[::-1], -np.inf)
    for number, mask in enumerate(masks):
        logits = np.asarray(Image.fromarray(mask).resize(size, Image.Resampling.BILINEAR), dtype=np.float64)
        best[logits > top] = min(number, NONE)
        top = np.maximum(top, logits)
    return best, sigmoid(top)
