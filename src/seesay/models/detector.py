"""The protocol of what finds things in a picture: labels and a picture in, boxes out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

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
    None for none. containment: of two boxes of one label of which more than this share of the smaller lies in the larger, too;
    None for none. most: the largest number of boxes per picture.
    """

    threshold: float
    iou: float | None = 0.5
    containment: float | None = None
    most: int = 100


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
