"""Finds things that labels name with any CLIP model: parts of the picture are classified among labels and backgrounds.

Proposals are windows of three sizes, and what is warm in the labels' maps (`dense`). Each is shown to the model twice, tight
and with its surroundings, and compared with the labels and with phrases for what is nothing in particular. A space that was
trained on whole pictures knows little of where things end: a trained detector's boxes are far better.
"""

from collections.abc import Sequence
from itertools import zip_longest

import numpy as np
from PIL import Image

from seesay.errors import InputError, MissingCapability
from seesay.images.preprocess import shown_whole
from seesay.models.detector import Detections, Selection
from seesay.models.encoder import ImageEncoder
from seesay.models.logits import softmax
from seesay.system.chinese import is_chinese
from seesay.tasks.boxes import clipped, containment, grown, nms, order, soft_nms
from seesay.tasks.dense import score_maps
from seesay.tasks.prompts import label_embeddings
from seesay.tasks.proposals import merged, pyramid, regions

BACKGROUND = ("background", "wall", "floor", "ceiling", "sky", "ground", "a blurry surface", "an empty room")
BACKGROUND_ZH = ("背景", "墙", "地板", "天花板", "天空", "地面", "模糊的表面", "空房间")
CONTEXT = 1.5  # sides of a proposal with its surroundings, in sides of the proposal
MOST_PROPOSALS = 100
LEAST = 0.05  # the shorter side of a region, in shorter sides of the picture
MAP_PX = 64  # longer side of the maps in which regions are looked for
# A part of a thing is often as sure as the whole: a box that shares a quarter of itself with a better one gives way to it.
SELECTION = Selection(threshold=0.5, iou=0.3, containment=0.25, most=20)
BATCH = 64  # parts that are cut out at a time


class WindowDetector:
    """A `Detector` of any model that encodes pictures and texts; without a dense output its proposals are windows alone.

    background: phrases that labels compete with, such as "wall"; those that are labels are left out. proposals: at most so many
    are classified per picture. Not safe to call from several threads.
    """

    selection = SELECTION

    def __init__(
        self, encoder: ImageEncoder, *, background: Sequence[str] | None = None, proposals: int = MOST_PROPOSALS
    ) -> None:
        if proposals < 1:
            raise InputError(f"expected at least one proposal, got {proposals}", parameter="proposals")
        self.encoder, self.background, self.proposals = encoder, background, proposals
        self._known: tuple[list[str] | None, np.ndarray] = (None, np.empty(0))

    def detect(self, picture: Image.Image, labels: Sequence[str]) -> Detections:
        """See `Detector`. Scores are probabilities among the labels and the background phrases, at the model's own scale, the
        mean of both views; the maps only propose. Raises InputError, MissingCapability."""
        vectors = self._vectors(labels)
        boxes = self._proposals(picture, self._heat(picture, vectors)[:, :, : len(labels)])
        shares = self._shares(picture, boxes, vectors)[:, : len(labels)]
        rows = np.repeat(np.arange(len(boxes)), len(labels))
        return Detections(
            boxes[rows].astype(np.float32), shares.reshape(-1).astype(np.float32), np.tile(np.arange(len(labels)), len(boxes))
        )

    def _vectors(self, labels: Sequence[str]) -> np.ndarray:
        """Unit vectors of the labels and the background phrases after them; those of the last labels are kept."""
        if isinstance(labels, str) or self._known[0] != list(labels):
            vectors = label_embeddings(self.encoder, labels)
            background = self.background
            if background is None:
                background = BACKGROUND_ZH if all(map(is_chinese, labels)) else BACKGROUND
            if others := [phrase for phrase in background if phrase not in labels]:
                vectors = np.concatenate([vectors, label_embeddings(self.encoder, others)])
            self._known = list(labels), vectors
        return self._known[1]

    def _heat(self, picture: Image.Image, vectors: np.ndarray) -> np.ndarray:
        """Maps of the probabilities of all texts (rows, columns, L); none (0, 0, L) from a model without dense output."""
        rows, columns = (max(1, round(side * MAP_PX / max(picture.size))) for side in picture.size[::-1])
        try:
            cosines = score_maps(self.encoder, np.asarray(picture), vectors, size=(rows, columns))
        except MissingCapability:
            return np.empty((0, 0, len(vectors)), dtype=np.float32)
        return self._softmax(cosines)

    def _proposals(self, picture: Image.Image, heat: np.ndarray) -> np.ndarray:
        """Boxes (N, 4): the windows of the pyramid, then regions of the labels' maps, each label in its turn, warmest first."""
        width, height = picture.size
        windows = pyramid(width, height)
        if not heat.size:
            return merged([windows])[: self.proposals]
        cell = np.array([width / heat.shape[1], height / heat.shape[0]] * 2)
        warm = []
        for label in np.argsort(-heat.max(axis=(0, 1)), kind="stable"):
            boxes = regions(heat[:, :, label]) * cell
            warm.append(boxes[np.minimum(*(boxes[:, 2:] - boxes[:, :2]).T) >= LEAST * min(width, height)])
        turns = [box for turn in zip_longest(*warm) for box in turn if box is not None]
        return merged([windows, np.asarray(turns).reshape(-1, 4)])[: self.proposals]

    def _shares(self, picture: Image.Image, boxes: np.ndarray, vectors: np.ndarray) -> np.ndarray:
        """Probabilities of the texts (N, L) in each box, the mean of its two views."""
        around = clipped(grown(boxes, CONTEXT), *picture.size)
        views = [tuple(view) for pair in zip(boxes, around, strict=True) for view in pair]
        shares = []
        for start in range(0, len(views), BATCH):
            spec = self.encoder.image_spec
            parts = [shown_whole(picture, view, spec) for view in views[start : start + BATCH]]
            shares.append(self._softmax(self.encoder.encode_image(parts) @ vectors.T))
        return np.asarray(np.concatenate(shares).reshape(len(boxes), 2, -1).mean(axis=1))

    def _softmax(self, cosines: np.ndarray) -> np.ndarray:
        """Over the last axis at the model's scale, also for a model that was trained with a sigmoid: a box shows one thing."""
        return softmax(self.encoder.logits.scale * cosines).astype(np.float32)


def select(found: Detections, selection: Selection) -> Detections:
    """The boxes that a selection leaves, best first; equal scores as `boxes.order` has them. With a higher threshold they are
    the first of those with a lower one, unless overlap is `soft`."""
    if selection.soft is not None:
        softened = soft_nms(found.boxes, found.scores, selection.soft, found.labels).astype(np.float32)
        found = Detections(found.boxes, softened, found.labels)
    found = found[found.scores >= selection.threshold]
    if selection.iou is not None and selection.soft is None:
        found = found[nms(found.boxes, found.scores, selection.iou, found.labels)]
    if selection.containment is not None:
        found = found[nms(found.boxes, found.scores, selection.containment, found.labels, containment)]
    return found[order(found.boxes, found.scores)[: selection.most]]
