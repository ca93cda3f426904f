"""The protocol of what finds things in a picture: labels and a picture in, boxes out."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from seesay.errors import InputError

if TYPE_CHECKING:
    from PIL import Image


@dataclass(frozen=True)
class Detections:
    """Boxes in one picture, in no particular order.

    boxes: (N, 4) float32, x0 y0 x1 y1 in pixels of the picture, x1 and y1 exclusive. scores: (N,) float32 from 0 to 1. labels:
    (N,) int64, the index of each box's label among those that were asked for.
    """

    boxes: np.ndarray
    scores: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.scores)

    def __getitem__(self, rows: np.ndarray) -> "Detections":
        """The boxes at some indices, or where a mask is true."""
        return Detections(self.boxes[rows], self.scores[rows], self.labels[rows])

    @classmethod
    def none(cls) -> "Detections":
        """No boxes."""
        return cls(np.empty((0, 4), dtype=np.float32), np.empty(0, dtype=np.float32), np.empty(0, dtype=np.int64))


@dataclass(frozen=True)
class Selection:
    """Which of a detector's boxes are shown; see `tasks.detection.select`.

    threshold: the least score. iou: of two boxes of one label that overlap by more, the one with the lower score is dropped;
    None for none. soft: the width (sigma) of soft suppression, which lowers the scores of such boxes instead (Bodla and others
    2017). containment: as iou, where more than this share of the smaller box lies in the larger one; None for none. most: the
    largest number of boxes per picture.
    """

    threshold: float
    iou: float | None = 0.5
    soft: float | None = None
    containment: float | None = None
    most: int = 100

    def __post_init__(self) -> None:
        for name in ("threshold", "iou", "containment"):
            value = getattr(self, name)
            if value is not None and not 0 <= value <= 1:
                raise InputError(f"{name}: expected a number from 0 to 1, got {value}", parameter=name, got=value)
        if self.soft is not None and not 0 < self.soft < math.inf:
            raise InputError(f"soft: expected a number above 0, got {self.soft}", parameter="soft", got=self.soft)
        if self.most < 1:
            raise InputError(f"most: expected at least one box, got {self.most}", parameter="most", got=self.most)


class Detector(Protocol):
    """Finds what labels name. A trained detector and windows over a CLIP model's pictures are used alike."""

    @property
    def selection(self) -> Selection:
        """The selection that suits its scores, unless the user wants another."""
        ...

    def detect(self, picture: "Image.Image", labels: Sequence[str]) -> Detections:
        """An upright RGB picture -> candidates for `Selection`, within the picture. Raises InputError for labels that cannot be
        used, MissingCapability."""
        ...
