"""Retrieval as CLIP papers measure it: recall at k from texts to images and from images to texts."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from seesay.errors import InputError
from seesay.evaluation.bootstrap import mean_intervals

KS = (1, 5, 10)
DIRECTIONS = {"text_to_image": "Text to image", "image_to_text": "Image to text"}  # field of Retrieval -> title
CELLS = 2**22  # scores in memory at once; 50 MB with what is derived from them


@dataclass(frozen=True)
class Direction:
    """Results of Q queries. ranks: (Q,), of the first right answer, from 1; picture: (Q,), number of the query's picture."""

    ranks: np.ndarray
    picture: np.ndarray
    ks: tuple[int, ...] = KS

    @property
    def recall(self) -> dict[str, float]:
        """{"R@1": share of queries whose first answer is right, ...}, in 0..1."""
        return {f"R@{k}": float(np.mean(self.ranks <= k)) for k in self.ks}

    @cached_property
    def bounds(self) -> dict[str, tuple[float, float]]:
        """The 95 % interval of each recall (`bootstrap`)."""
        return {
            k: (float(low), float(high))
            for k, (low, high) in zip(self.recall, mean_intervals(self.hits, self.picture), strict=True)
        }

    @property
    def median_rank(self) -> float:
        """The median rank of the first right answer."""
        return float(np.median(self.ranks))

    @property
    def hits(self) -> np.ndarray:
        """(Q, len(ks)) float64 of 0 and 1, whose means are `recall`."""
        return np.asarray(self.ranks[:, None] <= np.array(self.ks), dtype=np.float64)


@dataclass(frozen=True)
class Retrieval:
    """Results in both directions."""

    text_to_image: Direction
    image_to_text: Direction

    @property
    def directions(self) -> dict[str, Direction]:
        """Both by name, as in DIRECTIONS."""
        return {"text_to_image": self.text_to_image, "image_to_text": self.image_to_text}


def recalls(
    images: np.ndarray, texts: np.ndarray, owner: np.ndarray, ks: Sequence[int] = KS, *, chunk: int | None = None
) -> Retrieval:
    """Vectors (I, D) and (T, D) of unit length, and owner (T,), the number of each text's picture -> recall both ways.

    A text has one right picture. A picture with several texts is a hit if any of them is among the first k; a picture without
    texts is no query, but a candidate for texts. Equal scores rank in order of number, so that the earlier of two equal
    pictures wins. Products are summed in float64 and compared as float32, so that neither `chunk`, the queries at a time
    (default: for scores of 50 MB), nor a candidate's position decides between equal ones. Raises InputError, also for vectors
    that are not finite.
    """
    owner = np.asarray(owner)
    ks = _checked(images, texts, owner, ks)
    images_64, texts_64 = images.astype(np.float64), texts.astype(np.float64)
    queries = np.unique(owner)  # the pictures that have texts
    to_image = np.empty(len(texts), dtype=np.int64)
    for start in range(0, len(texts), rows := chunk or max(1, CELLS // len(images))):
        part = slice(start, start + rows)
        scores = (texts_64[part] @ images_64.T).astype(np.float32)  # (rows, I)
        to_image[part] = ranks(scores, owner[part])
    to_text = np.empty(len(queries), dtype=np.int64)
    for start in range(0, len(queries), rows := chunk or max(1, CELLS // len(texts))):
        part = slice(start, start + rows)
        scores = (images_64[queries[part]] @ texts_64.T).astype(np.float32)  # (rows, T)
        own_scores = np.where(owner == queries[part, None], scores, -np.inf)
        to_text[part] = ranks(scores, own_scores.argmax(axis=1))  # argmax: the first of equal ones
    return Retrieval(Direction(to_image, owner, ks), Direction(to_text, queries, ks))


def ranks(scores: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Scores (Q, N) and the right column of each query (Q,) -> its rank (Q,) from 1; equal scores rank in order of column."""
    right_scores = scores[np.arange(len(scores)), right][:, None]
    before = np.arange(scores.shape[1]) < right[:, None]
    return np.asarray(1 + (scores > right_scores).sum(axis=1) + ((scores == right_scores) & before).sum(axis=1))


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
