"""Segmentation with a tower that was trained to draw masks: CLIPSeg (Lüddecke & Ecker 2022)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from seesay.errors import InputError, MissingCapability
from seesay.models.encoder import MaskEncoder
from seesay.models.segmenter import MOST_LABELS, NONE, Segmentation

THRESHOLD = 0.5  # from where the model rather sees a label than not
DETAIL_PX = 2048  # longer side at which labels are chosen; the mask of a larger picture is enlarged


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
        if isinstance(labels, str) or not labels or not all(label.strip() for label in labels):
            raise InputError("expected at least one label, and none that is empty", parameter="labels", got=labels)
        if len(labels) > MOST_LABELS:
            raise InputError(f"a mask holds at most {MOST_LABELS} labels, got {len(labels)}")
        queries = self.encoder.encode_text([*labels, *self.background])
        best, probability = _best(self.encoder.find_masks(picture, queries)[0], _detail(picture.size))
        best[(best >= len(labels)) | (probability < self.threshold)] = NONE
        sums, counts = (np.bincount(best.ravel(), weights, minlength=NONE + 1) for weights in (probability.ravel(), None))
        mask = np.asarray(Image.fromarray(best.astype(np.uint8)).resize(picture.size, Image.Resampling.NEAREST))
        return Segmentation(tuple(labels), mask, (sums / np.maximum(counts, 1))[: len(labels)].astype(np.float32))


def _detail(size: tuple[int, int]) -> tuple[int, int]:
    """(width, height) of a picture -> that at which labels are chosen, in proportion."""
    shrink = min(1.0, DETAIL_PX / max(size))
    return max(1, round(size[0] * shrink)), max(1, round(size[1] * shrink))


def _best(masks: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Logits (Q, h, w) -> at each point of (width, height) the number of the highest one and its probability. They are
    enlarged one at a time, for the memory."""
    best, top = np.full(size[::-1], NONE, dtype=np.int64), np.full(size[::-1], -np.inf)
    for number, mask in enumerate(masks):
        logits = np.asarray(Image.fromarray(mask).resize(size, Image.Resampling.BILINEAR), dtype=np.float64)
        best[logits > top] = number
        top = np.maximum(top, logits)
    return best, 1 / (1 + np.exp(-np.clip(top, -700, 700)))
