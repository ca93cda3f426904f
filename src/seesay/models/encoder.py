"""The protocols of what encodes texts and images: the parts of a Model that tasks need."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np

from seesay.models.logits import Logits

if TYPE_CHECKING:
    from seesay.images.read import ImageInput
    from seesay.images.spec import ImageSpec
    from seesay.models.regions import Regions


class Encoder(Protocol):
    """Encodes texts into the space of one model, and says how that model turns cosines into probabilities."""

    def encode_text(self, texts: str | Sequence[str], *, normalize: bool = True) -> np.ndarray:
        """Texts -> (N, D) float32, unit length unless `normalize` is false."""
        ...

    @property
    def logits(self) -> Logits:
        """The scale and bias of its cosines, and whether softmax or sigmoid follows."""
        ...


class ImageEncoder(Encoder, Protocol):
    """Encodes images, too: whole, and cell by cell where the image tower has a dense output."""

    @property
    def image_spec(self) -> "ImageSpec":
        """The side of its input in pixels, and how an image is resized to it."""
        ...

    def encode_image(self, items: "ImageInput | Iterable[ImageInput]", *, normalize: bool = True) -> np.ndarray:
        """Images -> (N, D) float32, unit length unless `normalize` is false."""
        ...

    def encode_dense(self, items: "ImageInput | Iterable[ImageInput]", *, normalize: bool = True) -> np.ndarray:
        """Images -> (N, rows, columns, D) float32: features per cell. Raises MissingCapability where the tower has none."""
        ...


class AttentionEncoder(ImageEncoder, Protocol):
    """Says which patches of images its attention heeds, too, where the image tower is a ViT."""

    def patch_relevance(self, items: "ImageInput | Iterable[ImageInput]", texts: np.ndarray | None = None) -> np.ndarray:
        """Images -> how much each patch counts (N, rows, columns) float32: for the cosine with texts (N, D), or for the image.
        Raises MissingCapability where no attention tells."""
        ...


class RegionEncoder(Protocol):
    """Finds regions of images that may show what queries say."""

    @property
    def image_spec(self) -> "ImageSpec":
        """How an image is resized, and with it what the regions' boxes are relative to."""
        ...

    def encode_text(self, texts: str | Sequence[str]) -> np.ndarray:
        """Texts -> queries (N, D) float32, raw projections."""
        ...

    def find_regions(self, items: "ImageInput | Iterable[ImageInput]") -> "list[Regions]":
        """Images -> the regions of each. Raises MissingCapability where the image tower finds none."""
        ...


class MaskEncoder(Protocol):
    """Draws masks of what queries say in images."""

    @property
    def image_spec(self) -> "ImageSpec":
        """How an image is resized, and with it what the masks cover."""
        ...

    def encode_text(self, texts: str | Sequence[str]) -> np.ndarray:
        """Texts -> queries (N, D) float32, raw projections."""
        ...

    def find_masks(self, items: "ImageInput | Iterable[ImageInput]", queries: np.ndarray) -> np.ndarray:
        """Images, and queries (Q, D) -> logits (N, Q, size_px, size_px) float32. Raises MissingCapability."""
        ...
