"""What segmenters share: the sizes at which they work, and the mask made of each point's best label."""

from collections.abc import Sequence

import numpy as np
from PIL import Image

from seesay.models.segmenter import NONE, Segmentation

DETAIL_PX = 2048  # longer side at which labels are chosen; the mask of a larger picture is enlarged


def within(size: tuple[int, int], longest: int) -> tuple[int, int]:
    """A size in proportion whose longer side is at most `longest`."""
    shrink = min(1.0, longest / max(size))
    return max(1, round(size[0] * shrink)), max(1, round(size[1] * shrink))


def segmentation(
    best: np.ndarray, probabilities: np.ndarray, labels: Sequence[str], threshold: float, picture: Image.Image
) -> Segmentation:
    """The number of each point's best label, with the background's after the labels', (h, w) uint8, and its probability -> the
    segmentation of the picture. Points of a smaller probability than the threshold have no label."""
    best = np.where((best >= len(labels)) | (probabilities < threshold), np.uint8(NONE), best)
    sums, counts = (np.bincount(best.ravel(), weights, minlength=NONE + 1) for weights in (probabilities.ravel(), None))
    mask = np.asarray(Image.fromarray(best).resize(picture.size, Image.Resampling.NEAREST))
    return Segmentation(tuple(labels), mask, (sums / np.maximum(counts, 1))[: len(labels)].astype(np.float32))
