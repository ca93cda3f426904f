"""Explanation: the parts of a picture for which a text fits it, and tests of whether they are."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image, ImageFilter

from seesay.errors import InputError
from seesay.images.preprocess import shown_whole
from seesay.models.encoder import AttentionEncoder, ImageEncoder
from seesay.tasks.dense import WHOLE, picture_cells, window_boxes
from seesay.tasks.masks import within

HEAT_PX = 64  # longer side of a heat map; cells are coarser still
SCALES = (WHOLE, 0.5)
PATCH = 0.25  # side of what occlusion hides, in shorter sides of the picture
BLUR = 0.1  # radius with which parts are blurred to remove them, in shorter sides: no shape is left, and no new edge is made
SHARES = tuple(step / 10 for step in range(11))
BATCH = 16

FITTING = 0.8  # of neutral phrases fit worse than a text that does: than all of 300 captions, and 87 % of Caltech101's names

Way = Literal["cells", "occlusion", "legrad", "rollout"]
ATTENTION: tuple[Way, ...] = ("legrad", "rollout")  # for which the attention of a ViT is needed, so torch


@dataclass(frozen=True)
class Explanation:
    """score: cosine of the picture and the text. heat (rows, columns) float32: how much each part speaks for the text: a
    cosine ("cells"), what the score loses without it ("occlusion"), or how much a ViT's attention to it counts."""

    score: float
    heat: np.ndarray

    def rows(self) -> list[list[float]]:
        """The heat map as rows of numbers of five digits, whatever their size: of attention they are small."""
        return [[float(f"{value:.5g}") for value in row] for row in self.heat.tolist()]


def explain(encoder: AttentionEncoder, picture: Image.Image, text: str, way: Way = "cells") -> Explanation:
    """An upright RGB picture and a text -> why they fit.

    way "cells": cosines of the cells of windows (`tasks.dense`). "occlusion": what the score loses when a part is blurred
    (Zeiler and Fergus 2014); slower, and for any model. Of ViTs in torch, at the grid of their patches over the whole picture:
    "legrad", how much attention to a part raises the cosine (Bousselham and others 2024); "rollout", the attention to it
    whatever the text (Abnar and Zuidema 2020). Raises InputError for an empty text; MissingCapability for "cells" where the
    image tower has no dense output, and for the last two where it is no ViT in torch.
    """
    if not text.strip():
        raise InputError("the text is empty; write what the picture is to be explained by")
    vector = encoder.encode_text([text])
    pixels = np.asarray(picture.convert("RGB"))
    (score,) = (encoder.encode_image([Image.fromarray(pixels)]) @ vector.T)[:, 0].tolist()
    size = within((picture.height, picture.width), HEAT_PX)
    if way == "cells":
        cells = picture_cells(encoder, pixels, scales=SCALES)
        return Explanation(score, cells.maps(cells.cosines(vector), size)[:, :, 0])
    if way in ATTENTION:
        return Explanation(score, _attention(encoder, pixels, vector if way == "legrad" else None, size))
    return Explanation(score, _occlusion(encoder, pixels, vector[0], score, size))


def fits(score: float, phrases: np.ndarray) -> bool:
    """Whether a text whose cosine with a picture this is fits it at all: better than most neutral phrases, whose cosines with
    the picture are (B,)."""
    return bool((phrases < score).mean() >= FITTING)


def _attention(encoder: AttentionEncoder, pixels: np.ndarray, vector: np.ndarray | None, size: tuple[int, int]) -> np.ndarray:
    """The relevance of the patches of the whole picture, squashed to the tower's square, as a map of `size`."""
    height, width = pixels.shape[:2]
    whole = shown_whole(Image.fromarray(pixels), (0, 0, width, height), encoder.image_spec)
    (relevance,) = encoder.patch_relevance([whole], vector)
    return np.asarray(Image.fromarray(relevance).resize(size[::-1], Image.Resampling.BILINEAR))


def _occlusion(
    encoder: ImageEncoder, pixels: np.ndarray, vector: np.ndarray, score: float, size: tuple[int, int]
) -> np.ndarray:
    """The mean loss of the score over the hidden patches that hold a point."""
    masks = []
    for x0, y0, x1, y1 in window_boxes(size[1], size[0], PATCH):
        masks.append(np.zeros(size, dtype=bool))
        masks[-1][round(y0) : max(round(y0) + 1, round(y1)), round(x0) : max(round(x0) + 1, round(x1))] = True
    losses = score - _scores(encoder, pixels, vector, masks)
    hidden = np.stack(masks)
    counts = np.maximum(hidden.sum(axis=0), 1)
    return np.asarray((losses[:, None, None] * hidden).sum(axis=0) / counts, dtype=np.float32)


def hottest(heat: np.ndarray, share: float) -> np.ndarray:
    """A heat map -> the mask (rows, columns) bool of its hottest share; of equal ones the first."""
    mask = np.zeros(heat.size, dtype=bool)
    mask[np.argsort(-heat, axis=None, kind="stable")[: round(share * heat.size)]] = True
    return mask.reshape(heat.shape)


def deletion(
    encoder: ImageEncoder, picture: Image.Image, text: np.ndarray, heat: np.ndarray, shares: Sequence[float] = SHARES
) -> np.ndarray:
    """The score (shares,) when the hottest shares of a picture are removed, by blurring (Petsiuk, Das and Saenko 2018).

    text: unit vector (D,). A map that says why a text fits makes the score fall fast.
    """
    pixels = np.asarray(picture.convert("RGB"))
    return _scores(encoder, pixels, text, [hottest(heat, share) for share in shares])


def insertion(
    encoder: ImageEncoder, picture: Image.Image, text: np.ndarray, heat: np.ndarray, shares: Sequence[float] = SHARES
) -> np.ndarray:
    """The score (shares,) of a blurred picture into which its hottest shares are put back; it rises fast where `deletion`
    falls."""
    pixels = np.asarray(picture.convert("RGB"))
    return _scores(encoder, pixels, text, [~hottest(heat, share) for share in shares])


def _scores(encoder: ImageEncoder, pixels: np.ndarray, vector: np.ndarray, masks: Sequence[np.ndarray]) -> np.ndarray:
    """Cosines of a picture whose masked parts are blurred: (masks,)."""
    image, found = Image.fromarray(pixels), []
    blurred = image.filter(ImageFilter.GaussianBlur(max(1.0, BLUR * min(image.size))))
    for start in range(0, len(masks), BATCH):
        batch = [image.copy() for _ in masks[start : start + BATCH]]
        for copy, mask in zip(batch, masks[start : start + BATCH], strict=True):
            copy.paste(blurred, mask=Image.fromarray(mask).resize(image.size, Image.Resampling.NEAREST))
        found.append(encoder.encode_image(batch) @ vector)
    return np.concatenate(found)
