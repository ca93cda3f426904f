"""The protocol of what divides a picture: labels and a picture in, a mask out."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from PIL import Image

NONE = 255  # the value of pixels without a label
MOST_LABELS = 255


@dataclass(frozen=True)
class Segmentation:
    """Which label each pixel of a picture shows.

    labels: what was asked for. mask: (height, width) uint8, the index of a pixel's label, or `NONE`. scores: (labels,) float32,
    each label's mean probability over its pixels, 0 for one without.
    """

    labels: tuple[str, ...]
    mask: np.ndarray
    scores: np.ndarray

    @cached_property
    def shares(self) -> np.ndarray:
        """The share of the picture that has each label: (labels,) float64."""
        counts = np.bincount(self.mask.ravel(), minlength=NONE + 1)[: len(self.labels)]
        return np.asarray(counts / self.mask.size)

    @property
    def none(self) -> float:
        """The share of the picture that has no label."""
        return float((self.mask == NONE).mean())


class Segmenter(Protocol):
    """Divides a picture by labels. A trained model and the cells of a CLIP model's windows are used alike."""

    def segment(self, picture: "Image.Image", labels: Sequence[str]) -> Segmentation:
        """An upright RGB picture -> its segmentation. Raises InputError for labels that cannot be used, MissingCapability."""
        ...
