"""Search among pictures and texts, as CLIP papers count it: recall at k in both directions."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from seesay.errors import InputError
from seesay.evaluation.bootstrap import mean_intervals

KS = (1, 5, 10)
DIRECTIONS = {"text_to_image": "Text to image", "image_to_text": "Image to text"}  # field of Retrieval -> title
CELLS = 2**22  # scores held at once, 50 MB with what is derived from them


@dataclass(frozen=True)
class Direction:
    """One query after the other: `ranks` (Q,) of its first right answer, from 1; `picture` (Q,) the picture it belongs to."""

    ranks: np.ndarray
    picture: np.ndarray
    ks: tuple[int, ...] = KS

    @property
    def recall(self) -> dict[str, float]:
        """{"R@1": share of queries with a right answer in first place, ...}, in 0..1."""
        return {f"R@{k}": float(np.mean(self.ranks <= k)) for k in self.ks}

    @cached_property
    def bounds(self) -> dict[str, tuple[float, float]]:
        """The 95 % interval of every recall, pictures resampled."""
        return {
            k: (float(low), float(high))
            for k, (low, high) in zip(self.recall, mean_intervals(self.hits, self.picture), strict=True)
        }

    @property
    def median_rank(self) -> float:
        return float(np.median(self.ranks))

    @property
    def hits(self) -> np.ndarray:
        """(Q, len(ks)) of 0 and 1; the means are `recall`."""
        return np.asarray(self.ranks[:, None] <= np.array(self.ks), dtype=np.float64)


@dataclass(frozen=True)
class Retrieval:
    text_to_image: Direction
    image_to_text: Direction

    @property
    def directions(self) -> dict[str, Direction]:
        return {"text_to_image": self.text_to_image, "image_to_text": self.image_to_text}


def recalls(
    images: np.ndarray, texts: np.ndarray, owner: np.ndarray, ks: Sequence[int] = KS, *, chunk: int | None = None
) -> Retrieval:
    """Vectors (I, D) and (T, D) at unit length, `owner` (T,) the number of each text's picture -> recall both ways.

    A text has one right picture. A picture with several texts is a hit where any of them is among the first k; a picture
    without any is not asked for texts, but stands among those that texts search. Equal scores rank in order of number, so that
    of two equal pictures the earlier one wins. Products are summed in float64 and compared as float32, so that
    neither the `chunk` of queries (default: what keeps scores within 50 MB) nor a target's place decides between equals.
    Raises InputError, also for vectors that are not finite.
    """
    owner = np.asarray(owner)
    ks = _checked(images, texts, owner, ks)
    wide_images, wide_texts = images.astype(np.float64), texts.astype(np.float64)
    asked = np.unique(owner)  # the pictures that have texts
    to_image = np.empty(len(texts), dtype=np.int64)
    for start in range(0, len(texts), rows := chunk or max(1, CELLS // len(images))):
        mine = slice(start, start + rows)
        scores = (wide_texts[mine] @ wide_images.T).astype(np.float32)  # (rows, I)
        to_image[mine] = ranks(scores, owner[mine])
    to_text = np.empty(len(asked), dtype=np.int64)
    for start in range(0, len(asked), rows := chunk or max(1, CELLS // len(texts))):
        mine = slice(start, start + rows)
        scores = (wide_images[asked[mine]] @ wide_texts.T).astype(np.float32)  # (rows, T)
        own = np.where(owner == asked[mine, None], scores, -np.inf)
        to_text[mine] = ranks(scores, own.argmax(axis=1))  # argmax: the first of equal ones
    return Retrieval(Direction(to_image, owner, ks), Direction(to_text, asked, ks))


def ranks(scores: np.ndarray, right: np.ndarray) -> np.ndarray:
    """scores (Q, N), the right column of each (Q,) -> its place (Q,) from 1; equal scores in order of column."""
    mine = scores[np.arange(len(scores)), right][:, None]
    before = np.arange(scores.shape[1]) < right[:, None]
    return np.asarray(1 + (scores > mine).sum(axis=1) + ((scores == mine) & before).sum(axis=1))


def _checked(images: np.ndarray, texts: np.ndarray, owner: np.ndarray, ks: Sequence[int]) -> tuple[int, ...]:
    if images.ndim != 2 or texts.ndim != 2 or images.shape[1] != texts.shape[1] or not len(images) or not len(texts):
        raise InputError(f"expected vectors (I, D) and (T, D), at least one each, got {images.shape} and {texts.shape}")
    whole = owner.shape == (len(texts),) and np.issubdtype(owner.dtype, np.integer)
    if not whole or owner.min() < 0 or owner.max() >= len(images):
        raise InputError(
            f"expected owner ({len(texts)},) of whole numbers 0..{len(images) - 1}, got {owner.dtype} {owner.shape}"
        )
    if not (np.isfinite(images).all() and np.isfinite(texts).all()):
        raise InputError("expected finite vectors, got some with NaN or infinity: the model that made them is broken")
    if not ks or min(ks) < 1:
        raise InputError(f"expected ks from 1, got {tuple(ks)}")
    return tuple(sorted(set(ks)))
