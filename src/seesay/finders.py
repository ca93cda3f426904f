"""Models that find things: `load_detector` opens one for boxes, `load_segmenter` for masks; `Finder` gives what towers find."""

import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from seesay.errors import MissingCapability
from seesay.model import Model, load
from seesay.models.regions import Regions
from seesay.models.tower_config import COMMANDS

if TYPE_CHECKING:
    from seesay.images.read import ImageInput
    from seesay.images.spec import ImageSpec
    from seesay.models.detector import Detector
    from seesay.models.segmenter import Segmenter


class Finder:
    """A model whose image tower was trained to find things: a `RegionEncoder` or a `MaskEncoder`, as `finds` says.

    Raises MissingCapability for any other model.
    """

    def __init__(self, model: Model) -> None:
        finds = None if model.config.image is None else model.config.image.finds
        if finds is None:
            raise MissingCapability(f"model {model.name!r} was not trained to find boxes or masks")
        self.model = model
        self.finds: Literal["boxes", "masks"] = finds

    @property
    def image_spec(self) -> "ImageSpec":
        """How an image is resized, and with it what boxes and masks are relative to."""
        return self.model.image_spec

    def encode_text(self, texts: str | Sequence[str]) -> np.ndarray:
        """Texts -> queries (N, D): raw projections."""
        return self.model.encode_text(texts, normalize=False)

    def encode_image(self, items: "ImageInput | Iterable[ImageInput]") -> np.ndarray:
        """Images -> queries (N, D): raw projections."""
        return self.model.encode_image(items, normalize=False)

    def find_regions(self, items: "ImageInput | Iterable[ImageInput]") -> list[Regions]:
        """Images -> the regions of each. Raises MissingCapability where it finds no boxes."""
        self._check("boxes")
        pixels = self.model.preprocess(items)
        return [Regions.split(self.model.engine.find_regions(row[None])[0], self.model.dim) for row in pixels]

    def find_masks(self, items: "ImageInput | Iterable[ImageInput]", queries: np.ndarray) -> np.ndarray:
        """Images, and queries (Q, D) -> logits (N, Q, size_px, size_px) float32. Raises MissingCapability."""
        self._check("masks")
        return self.model.engine.find_masks(self.model.preprocess(items), queries)

    def _check(self, what: str) -> None:
        if self.finds != what:
            raise MissingCapability(f"{self.model.name!r} is a model that finds {self.finds}, not {what}")


def load_detector(model: str | os.PathLike[str] | None = None, **options: Any) -> "Detector":
    """A detector of any model that `seesay.load` takes, or of one that was trained to find boxes (OWL-ViT, OWLv2).

    options: as of `seesay.load`. Raises what that raises; MissingCapability for a model that finds masks.
    """
    return detector_of(load(model, encodes=False, **options))


def load_segmenter(model: str | os.PathLike[str] | None = None, **options: Any) -> "Segmenter":
    """A segmenter of any model that `seesay.load` takes, or of one that was trained to draw masks (CLIPSeg).

    options: as of `seesay.load`. Raises what that raises; MissingCapability for a model that finds boxes.
    """
    return segmenter_of(load(model, encodes=False, **options))


def detector_of(model: Model, *, proposals: int | None = None) -> "Detector":
    """A model's detector: its own, or windows that it classifies. proposals: at most so many of these; None: as many as suit.

    Raises MissingCapability for a model that finds masks.
    """
    if _found_by(model, "boxes"):
        from seesay.tasks.region_detection import RegionDetector

        return RegionDetector(Finder(model))
    from seesay.tasks.detection import MOST_PROPOSALS, WindowDetector

    return WindowDetector(model, proposals=MOST_PROPOSALS if proposals is None else proposals)


def segmenter_of(model: Model, *, background: Sequence[str] | None = None, threshold: float | None = None) -> "Segmenter":
    """A model's segmenter: its own, or the cells of its windows. background, threshold: None for what suits the segmenter.

    Raises MissingCapability for a model that finds boxes.
    """
    if _found_by(model, "masks"):
        from seesay.tasks.mask_segmentation import THRESHOLD, MaskSegmenter

        return MaskSegmenter(Finder(model), background or (), THRESHOLD if threshold is None else threshold)
    from seesay.tasks.segmentation import CellSegmenter, Choice

    return CellSegmenter(model, background=background, choice=Choice(threshold=threshold or 0.0))


def _found_by(model: Model, wanted: Literal["boxes", "masks"]) -> bool:
    """Whether the model was trained to find these. Raises MissingCapability where it was trained to find the others."""
    finds = None if model.config.image is None else model.config.image.finds
    if finds not in (None, wanted):
        command = COMMANDS[finds]
        raise MissingCapability(f"{model.name!r} is a model that finds {finds}, not {wanted}; use it with: seesay {command}")
    return finds == wanted
