"""Segmentation without training: which of some labels each pixel of a picture shows."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from seesay.errors import InputError
from seesay.models.encoder import ImageEncoder
from seesay.models.segmenter import MOST_LABELS, NONE, Segmentation
from seesay.models.vectors import normalize
from seesay.system.chinese import is_chinese
from seesay.tasks.dense import Cells, picture_cells
from seesay.tasks.guided_filter import guided_filter
from seesay.tasks.labels import check_labels
from seesay.tasks.masks import DETAIL_PX, segmentation, within
from seesay.tasks.prompts import Templates, label_embeddings

TEMPLATES = ("{}", "the {}", "part of a {}", "next to a {}", "in front of a {}", "{} in the background")
TEMPLATES_ZH = ("{}", "这个{}", "{}的一部分", "{}旁边", "{}前面", "背景里的{}")
BY_LANGUAGE = {"en": TEMPLATES, "zh": TEMPLATES_ZH}
BACKGROUND = ("background", "sky", "ground", "wall", "grass", "tree", "water", "floor", "building", "person")
BACKGROUND_ZH = ("背景", "天空", "地面", "墙", "草地", "树", "水", "地板", "建筑物", "人")
ALIKE = 0.33  # cosine, without what all texts have in common, from which a background phrase is left out as one of the labels
WORK_PX = 320  # longer side of the maps; more detail comes with the picture's edges
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

    As in training-free segmentation with CLIP (Zhou, Loy and Dai 2022; Wang and others 2023); docs/benchmarks.md has what each
    part of it adds. background: phrases for what no label says, but for those that are alike a label; None: those of
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
        return choose(self.maps(cells, texts), picture, labels, self.choice)

    def maps(self, cells: Cells, texts: np.ndarray) -> np.ndarray:
        """Cells of a picture and texts of `embeddings` -> logits (h, w, texts) of `work_size`."""
        cosines = cells.cosines(texts)
        logits = self.encoder.logits.scale * (cosines - self.contrast * cosines.mean(axis=(0, 1, 2)))
        return cells.maps(logits, work_size(cells.size))

    def embeddings(self, labels: Sequence[str]) -> np.ndarray:
        """Unit vectors of the labels, then of the background phrases that are unlike them, all without what they have in
        common. Raises InputError."""
        check_labels(labels, MOST_LABELS)
        templates = BY_LANGUAGE if self.templates is None else self.templates
        texts = label_embeddings(self.encoder, labels, templates)
        phrases = self.background
        if phrases is None:
            phrases = BACKGROUND_ZH if any(map(is_chinese, labels)) else BACKGROUND
        if phrases:
            texts = np.concatenate([texts, label_embeddings(self.encoder, phrases, templates)])
            apart = normalize(texts - texts.mean(axis=0))
            alike = (apart @ apart[: len(labels)].T).max(axis=1) >= ALIKE  # labels are alike themselves
            alike[: len(labels)] = False
            texts = texts[~alike]
        if len(texts) < 2:
            raise InputError("one label without a background would have every pixel; give another label, or a background")
        return normalize(texts - texts.mean(axis=0))


def work_size(size: tuple[int, int]) -> tuple[int, int]:
    """(height, width) of a picture -> that of its maps, in proportion."""
    return within(size, WORK_PX)


def choose(maps: np.ndarray, picture: Image.Image, labels: Sequence[str], choice: Choice) -> Segmentation:
    """Logits (h, w, labels and then background) of an upright RGB picture -> its segmentation."""
    size, maps = (picture.height, picture.width), maps.astype(np.float32)
    if choice.refined:
        guide = np.asarray(picture.convert("RGB").resize(maps.shape[1::-1], Image.Resampling.BOX)) / 255
        maps = guided_filter(guide, maps, max(1, round(RADIUS * min(maps.shape[:2]))), EPS)
    areas = np.bincount(maps.argmax(axis=2).ravel(), minlength=maps.shape[2]) / (maps.shape[0] * maps.shape[1])
    left = np.flatnonzero((areas >= choice.least_area) | (np.arange(maps.shape[2]) >= len(labels)))
    best, probabilities = _best(maps, left, within(size, DETAIL_PX))
    return segmentation(best, probabilities, labels, choice.threshold, picture)


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
