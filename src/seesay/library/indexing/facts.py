"""Facts of a decoded picture, which a library stores beside its vector."""

from typing import NamedTuple

import numpy as np

from seesay.images.metadata import Metadata
from seesay.images.phash import waves
from seesay.images.preprocess import load_pixels
from seesay.model import Model


class DecodedFacts(NamedTuple):
    """The facts of a decoded picture that are stored beside its vector."""

    width: int
    height: int
    metadata: Metadata
    waves: bytes
    note: str | None
    recolored: bool  # its colours were converted from a profile, which older readers did not do


def decode(data: bytes, model: Model, name: str) -> tuple[np.ndarray, DecodedFacts]:
    """The bytes of a picture -> its pixels (3, H, W) float32 as the model's tower takes them, and its facts.

    Raises UnreadableImage, MemoryError.
    """
    pixels, picture = load_pixels(data, model.image_spec, decode=model.decode, name=name)
    layout = waves(picture.image).astype("<f4").tobytes()
    recolored = picture.profile is not None
    return pixels, DecodedFacts(picture.width, picture.height, picture.metadata, layout, picture.note, recolored)
