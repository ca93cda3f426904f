"""Segmentation without training: which of some labels each pixel of a picture shows."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from seesay.errors import InputError
from seesay.models.encoder import Encoder, ImageEncoder
from seesay.models.segmenter import MOST_LABELS, NONE, Segmentation
from seesay.models.vectors import normalize
from seesay.system.chinese import is_chinese
from seesay.tasks.dense import picture_cells
from seesay.tasks.guided_filter import guided_filter
from seesay.tasks.prompts import Templates, ensemble, filled, label_embeddings

TEMPLATES = ("{}", "the {}", "part of a {}", "next to a {}", "in front of a {}", "{} in the background")
TEMPLATES_ZH = ("{}", "这个{}", "{}的一部分", "{}旁边", "{}前面", "背景里的{}")
BACKGROUND = ("background", "sky", "ground", "wall", "grass", "tree", "water", "floor", "building", "person")
BACKGROUND_ZH = ("背景", "天空", "地面", "墙", "草地", "树", "水", "地板", "建筑物", "人")
ALIKE = 0.5  # cosine, without what all texts have in common, from which a background phrase is left out as one of the labels
WORK_PX = 320  # longer side of the maps; more detail comes with the picture's edges
DETAIL_PX = 2048  # longer side at which labels are chosen; the mask of a larger picture is enlarged
RADIUS = 0.13  # of the guided filter, in shorter sides of the picture
EPS = 1e-4  # of the guided filter


@dataclass(frozen=True)
class Choice:
    """How labels are chosen from maps.

    refined: whether the picture's edges shape the maps. threshold: probability below which a pixel has no label. least_area:
    share of the picture below which a label is left out.
    """

    refined: bool = True
    threshold: float = 0.0
    least_area: float = 0.002


@dataclass(frozen=True)
class CellSegmenter:
    """Divides a picture by the cells of overlapping windows, which are compared with labels and with a background
    (`tasks.dense`).

    As in training-free segmentation with CLIP (Zhou, Loy and Dai 2022; Wang and others 2023). The defaults are those that did
    best (docs/benchmarks.md). background: phrases for what no label says, but for those that are alike a label; None: those of
    the labels' language. contrast: how much of its mean over the picture the map of a text loses: with 1 every text is
    somewhere above it, with 0 a text that is near to all pictures is everywhere.
    """

    encoder: ImageEncoder
    templates: Templates = None
    background: Sequence[str] | None = None
    scales: Sequence[float] = (1.0, 0.5, 0.3)
    contrast: float = 0.75
    choice: Choice = Choice()

    def segment(self, picture: Image.Image, labels: Sequence[str]) -> Segmentation:
        """An upright RGB picture -> its segmentation. Raises InputError for no labels, more than 255, or a single one without
        background; MissingCapability where the image tower has no dense output."""
        texts = self.embeddings(labels)
        cells = picture_cells(self.encoder, np.asarray(picture.convert("RGB")), scales=self.scales)
        cosines = cells.cosines(texts)
        logits = self.encoder.logits.scale * (cosines - self.contrast * cosines.mean(axis=(0, 1, 2)))
        return choose(cells.maps(logits, work_size(cells.size)), picture, labels, self.choice)

    def embeddings(self, labels: Sequence[str]) -> np.ndarray:
        """Unit vectors of the labels, then of the background phrases that are unlike them, all without what they have in
        common. Raises InputError."""
        if len(labels) > MOST_LABELS:
            raise InputError(f"a mask holds at most {MOST_LABELS} labels, got {len(labels)}")
        texts = _embeddings(self.encoder, labels, self.templates)
        phrases = self.background
        if phrases is None:
            phrases = BACKGROUND_ZH if any(map(is_chinese, labels)) else BACKGROUND
        if phrases:
            texts = np.concatenate([texts, _embeddings(self.encoder, phrases, self.templates)])
            apart = normalize(texts - texts.mean(axis=0))
            alike = (apart @ apart[: len(labels)].T).max(axis=1) >= ALIKE  # labels are alike themselves
            alike[: len(labels)] = False
            texts = texts[~alike]
        if len(texts) < 2:
            raise InputError("one label without a background would have every pixel; give another label, or a background")
        return normalize(texts - texts.mean(axis=0))


def work_size(size: tuple[int, int]) -> tuple[int, int]:
    """(height, width) of a picture -> that of its maps, in proportion."""
    return _within(size, WORK_PX)


def choose(maps: np.ndarray, picture: Image.Image, labels: Sequence[str], choice: Choice) -> Segmentation:
    """Logits (h, w, labels and then background) of an upright RGB picture -> its segmentation."""
    size, maps = (picture.height, picture.width), maps.astype(np.float32)
    if choice.refined:
        guide = np.asarray(picture.convert("RGB").resize(maps.shape[1::-1], Image.Resampling.BOX)) / 255
        maps = guided_filter(guide, maps, max(1, round(RADIUS * min(maps.shape[:2]))), EPS)
    areas = np.bincount(maps.argmax(axis=2).ravel(), minlength=maps.shape[2]) / (maps.shape[0] * maps.shape[1])
    left = np.flatnonzero((areas >= choice.least_area) | (np.arange(maps.shape[2]) >= len(labels)))
    best, probabilities = _best(maps, left, _within(size, DETAIL_PX))
    best[(best >= len(labels)) | (probabilities < choice.threshold)] = NONE
    sums, counts = (np.bincount(best.ravel(), weights, minlength=NONE + 1) for weights in (probabilities.ravel(), None))
    mask = np.asarray(Image.fromarray(best).resize(picture.size, Image.Resampling.NEAREST))
    return Segmentation(tuple(labels), mask, (sums / np.maximum(counts, 1))[: len(labels)].astype(np.float32))


def _best(maps: np.ndarray, rows: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """The map that is highest at each point, of some maps, and its probability. They are enlarged one at a time, for the
    memory. size: (height, width)."""
    best, top, total = np.full(size, NONE, dtype=np.uint8), np.full(size, -np.inf), np.zeros(size)
    for row in rows:
        logits = np.asarray(Image.fromarray(maps[:, :, row]).resize(size[::-1], Image.Resampling.BILINEAR), dtype=np.float64)
        best[logits > top] = min(row, NONE)
        higher = np.maximum(top, logits)
        total = total * np.exp(top - higher) + np.exp(logits - higher)
        top = higher
    return best, 1 / np.maximum(total, 1)


def _within(size: tuple[int, int], longest: int) -> tuple[int, int]:
    """A size in proportion whose longer side is at most `longest`."""
    shrink = min(1.0, longest / max(size))
    return max(1, round(size[0] * shrink)), max(1, round(size[1] * shrink))


def _embeddings(encoder: Encoder, texts: Sequence[str], templates: Templates) -> np.ndarray:
    """Texts -> (N, D) unit vectors; without templates with those of each text's own language."""
    if templates is not None or not texts or isinstance(texts, str):
        return label_embeddings(encoder, texts, templates)
    prompts = [prompt for text in texts for prompt in filled([text], TEMPLATES_ZH if is_chinese(text) else TEMPLATES)]
    return ensemble(encoder.encode_text(prompts), len(texts))
