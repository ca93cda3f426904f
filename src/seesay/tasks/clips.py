"""Clips as one vector: an animation is the mean of its frames."""

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Protocol

import numpy as np

from seesay.errors import UnreadableImage
from seesay.models.vectors import normalize

if TYPE_CHECKING:
    from seesay.images.read import ImageInput
    from seesay.images.spec import ImageSpec

FRAMES = 8


class EachImage(Protocol):
    """Encodes images one by one, such as a Model."""

    @property
    def image_spec(self) -> "ImageSpec":
        """How images are preprocessed."""
        ...

    def each_image(self, items: "ImageInput | Iterable[ImageInput]") -> Iterator[np.ndarray | UnreadableImage]:
        """Yields per image its unit vector (D,), or why there is none."""
        ...


def each_clip(
    encoder: EachImage, items: "Iterable[ImageInput]", frames: int = FRAMES
) -> Iterator[np.ndarray | UnreadableImage]:
    """As `each_image`, with animations (GIF, WebP, APNG; files or bytes) as the mean of `frames` evenly chosen frames.

    Yields per item a unit vector (D,), or the UnreadableImage that says why there is none.
    """
    from seesay.images.clip import clip_frames  # a command that prints its help needs no Pillow

    alpha, counts = encoder.image_spec.alpha, deque[int]()

    def singles() -> "Iterator[ImageInput]":
        for item in items:
            shown: list[ImageInput] = [*clip_frames(item, frames, alpha=alpha)] or [item]
            counts.append(len(shown))
            yield from shown

    results = encoder.each_image(singles())
    for first in results:
        rest = [vector for vector in islice(results, counts.popleft() - 1) if isinstance(vector, np.ndarray)]
        yield mean_frame(np.stack([first, *rest])) if isinstance(first, np.ndarray) else first


def mean_frame(frames: np.ndarray) -> np.ndarray:
    """Unit vectors (frames, D) -> the unit vector (D,) of their mean."""
    return np.asarray(frames[0] if len(frames) == 1 else normalize(frames.mean(axis=0, keepdims=True))[0])
