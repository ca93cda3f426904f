"""The protocols of what encodes texts and images: the parts of a Model that tasks need."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np

from seesay.models.logits import Logits

if TYPE_CHECKING:
    from seesay.images.read import ImageInput
    from seesay.images.spec import ImageSpec


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
