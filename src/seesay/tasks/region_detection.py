"""Finds things with a tower that was trained to: OWL-ViT and OWLv2, by labels or by a picture of the thing.

Minderer et al. 2022 and 2023. Thresholds and the choice of an example's thing are those of their published code, as Hugging
Face transformers has them.
"""

from collections.abc import Sequence

import numpy as np
from PIL import Image

from seesay.errors import InputError, MissingCapability
from seesay.images.spec import ImageSpec
from seesay.models.detector import Detections, Selection
from seesay.models.encoder import RegionEncoder
from seesay.models.logits import sigmoid
from seesay.models.regions import Regions
from seesay.tasks.boxes import area, clipped, iou, nms
from seesay.tasks.labels import check_labels

SELECTION = Selection(threshold=0.1, iou=None)
LIKE = Selection(threshold=0.6, iou=None)  # of things like a picture's; overlaps are dropped before
LIKE_IOU = 0.3
NEAR_BEST = 0.8  # share of the best overlap with an example, above which a box may be its thing
MOST_LABELS = 1000


class RegionDetector:
    """An `ExampleDetector` of a model whose image tower finds boxes.

    A patch has one box, and of the labels the one that fits it best. Scores are the model's own probabilities; a label is
    used as it is, without prompts. Not safe to call from several threads. Raises MissingCapability for preprocessing that
    cuts pictures off.
    """

    selection = SELECTION
    example_selection = LIKE

    def __init__(self, encoder: RegionEncoder) -> None:
        self.encoder = encoder
        spec = encoder.image_spec
        if spec.resize not in ("squash", "corner") or (spec.resize == "squash" and spec.resize_px > spec.size_px):
            raise MissingCapability(
                f"boxes need pictures that are squashed or stand in a corner, this model's are {spec.resize}"
            )
        self._known: tuple[tuple[str, ...], np.ndarray] = ((), np.empty(0))
        self._shown: tuple[Image.Image, np.ndarray] | None = None  # the last example and its vector

    def detect(self, picture: Image.Image, labels: Sequence[str]) -> Detections:
        """See `Detector`. Raises InputError for no labels, empty ones, or more than `MOST_LABELS`."""
        queries = self._queries(labels)
        regions = self._regions(picture)
        logits = regions.logits(queries)
        best = logits.argmax(axis=1)
        return self._detections(picture, regions, logits[np.arange(len(best)), best], best)

    def detect_like(self, picture: Image.Image, example: Image.Image) -> Detections:
        """See `ExampleDetector`. Boxes that overlap better ones by more than `LIKE_IOU` are dropped already."""
        logits, regions = self.similarity(picture, example)
        kept = nms(regions.corners(), logits, LIKE_IOU)
        return self._detections(picture, regions[kept], logits[kept], np.zeros(len(kept), dtype=np.intp))

    def similarity(self, picture: Image.Image, example: Image.Image) -> tuple[np.ndarray, Regions]:
        """Logits (N,) that each region of a picture shows the example's thing, and the regions. Raises InputError."""
        if self._shown is None or self._shown[0] is not example:
            self._shown = example, self._query(example)
        regions = self._regions(picture)
        return regions.logits(self._shown[1])[:, 0], regions

    def _query(self, example: Image.Image) -> np.ndarray:
        """The vector (1, D) of an example's thing."""
        levels = np.asarray(example.convert("RGB")).reshape(-1, 3)
        if (levels.max(axis=0) == levels.min(axis=0)).all():
            raise InputError(
                "the example has one colour and shows nothing; give a picture of the thing to find, cut out closely"
            )
        shown = self._regions(example)
        return np.asarray(shown.embeddings[thing(shown)][None])

    def _queries(self, labels: Sequence[str]) -> np.ndarray:
        """Raw projections of the labels; those of the last call are kept."""
        check_labels(labels, MOST_LABELS)
        if self._known[0] != tuple(labels):
            self._known = tuple(labels), self.encoder.encode_text(list(labels))
        return self._known[1]

    def _regions(self, picture: Image.Image) -> Regions:
        return self.encoder.find_regions(picture)[0]

    def _detections(self, picture: Image.Image, regions: Regions, logits: np.ndarray, labels: np.ndarray) -> Detections:
        """With boxes in pixels and within the picture; those beside it, in what padded it, are left out."""
        boxes = clipped(in_pixels(regions, picture.size, self.encoder.image_spec), *picture.size)
        inside = area(boxes) > 0
        found = Detections(boxes.astype(np.float32), probabilities(logits), labels.astype(np.int64))
        return found[inside]


def probabilities(logits: np.ndarray) -> np.ndarray:
    """The sigmoid, float32."""
    return sigmoid(logits).astype(np.float32)


def in_pixels(regions: Regions, size: tuple[int, int], spec: ImageSpec) -> np.ndarray:
    """The regions' boxes (N, 4) as x0 y0 x1 y1 in pixels of a picture of (width, height), beyond which they may reach."""
    width, height = (max(size), max(size)) if spec.resize == "corner" else size
    return np.asarray(regions.corners() * np.array([width, height, width, height], dtype=np.float32))


def thing(regions: Regions) -> int:
    """The patch of an example that shows its thing.

    By objectness where the tower has it (OWLv2). Else among the patches whose boxes cover the picture nearly as well as the
    best one, that which is least like the mean of all patches, which is mostly background (OWL-ViT). Raises InputError where
    no box lies in the picture.
    """
    if regions.objectness is not None:
        return int(regions.objectness.argmax())
    whole = np.array([[0.0, 0.0, 1.0, 1.0]])
    overlap = iou(whole, regions.corners())[0]
    if not overlap.max() > 0:
        raise InputError("nothing was found in the example; give a picture of the thing to find, cut out closely")
    near = np.flatnonzero(overlap >= overlap.max() * NEAR_BEST)
    return int(near[(regions.embeddings[near] @ regions.embeddings.mean(axis=0)).argmin()])
