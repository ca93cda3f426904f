"""Average precision of `seesay detect` with the bundled model on photos of rooms, beside boxes that look at nothing.

    SEESAY_DATA=... python benchmarks/detection.py [--quick] [--json]

The set has 39 photos with 295 boxes of 30 names. All 30 are looked for in every photo. A box is right if its IoU with a true
one is at least 0.5 (AP@0.5, as COCO and as Pascal VOC count it, the mean over names; boxes under a score of 0.02 are left out).
Peers: the whole photo as one box per name, with its own score; and windows of random sides and places, as many as there are
regular ones, classified in the same way. The interval is that of 90 % of 400 draws of the photos.

Goals: the peers' AP is at most ours, that of windows and regions. SEESAY_VECTORS: a folder in which encoded parts are kept, so
that a run goes on after a stop.
"""

import hashlib
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pictures
from benchmark import Goal, Result, Table, run
from PIL import Image

import seesay
from seesay.evaluation.detection import Rule, average, average_precision, matches
from seesay.model import Model
from seesay.models.detector import Detections, Selection
from seesay.system.files import read_arrays, write_arrays
from seesay.tasks.boxes import iou
from seesay.tasks.detection import MOST_PROPOSALS, SELECTION, WindowDetector, select
from seesay.tasks.proposals import pyramid

WORDS = {
    "cabinetry": "cabinet",
    "coffeetable": "coffee table",
    "diningtable": "dining table",
    "pictureframe": "picture frame",
    "pottedplant": "potted plant",
    "tincan": "tin can",
    "tvmonitor": "tv monitor",
    "wastecontainer": "waste container",
    "windowblind": "window blind",
}
EVERY = Selection(0.02, iou=0.5, most=100)  # the usual suppression, and scores down to where they mean nothing
DRAWS = 400


@dataclass(frozen=True)
class Photo:
    name: str
    image: Image.Image
    true: Detections


class Whole(WindowDetector):
    """The whole picture is the only proposal."""

    def _proposals(self, picture: Image.Image, heat: np.ndarray) -> np.ndarray:
        return np.asarray([[0.0, 0.0, *picture.size]])


class Random(WindowDetector):
    """Windows of random sides, 5 to 100 % of the picture's, at random places; always the same ones in a picture."""

    def _proposals(self, picture: Image.Image, heat: np.ndarray) -> np.ndarray:
        draw, count = np.random.default_rng(int(np.asarray(picture).sum())), len(pyramid(*picture.size))
        sides = draw.uniform(0.05, 1, (count, 2))
        low = draw.uniform(0, 1, (count, 2)) * (1 - sides)
        return np.concatenate([low, low + sides], axis=1) * [*picture.size, *picture.size]


class Windows(WindowDetector):
    """Windows alone, as for a model without dense output."""

    def _heat(self, picture: Image.Image, vectors: np.ndarray) -> np.ndarray:
        return np.empty((0, 0, len(vectors)), dtype=np.float32)


class Remembering:
    """A model that encodes no part of a picture twice, and none that is in its folder already. folder: for one file a photo, so
    that a long run can be stopped; None for none."""

    def __init__(self, model: Model, folder: Path | None) -> None:
        self.model, self.folder = model, folder
        self.image_spec, self.logits, self.encode_text = model.image_spec, model.logits, model.encode_text
        self.known: dict[str, np.ndarray] = {}

    def read(self, name: str) -> None:
        """Begins with a photo."""
        self.known = (self.folder and read_arrays(self.folder / f"{name}.npz")) or {}

    def write(self, name: str) -> None:
        """Ends with it."""
        if self.folder is not None:
            write_arrays(self.folder / f"{name}.npz", **self.known)

    def encode_image(self, items: Any, *, normalize: bool = True) -> np.ndarray:
        assert normalize
        keys = [_key(item) for item in items]
        if new := {key: item for key, item in zip(keys, items, strict=True) if key not in self.known}:
            self.known |= dict(zip(new, self.model.encode_image(list(new.values())), strict=True))
        return np.stack([self.known[key] for key in keys])

    def encode_dense(self, items: Any, *, normalize: bool = True) -> np.ndarray:
        assert normalize
        keys = ["dense-" + _key(item) for item in items]
        if new := {key: item for key, item in zip(keys, items, strict=True) if key not in self.known}:
            self.known |= dict(zip(new, self.model.encode_dense(list(new.values())), strict=True))
        return np.stack([self.known[key] for key in keys])


def _key(image: Image.Image) -> str:
    return hashlib.sha256(image.tobytes()).hexdigest()[:24]


def measure(quick: bool) -> Result:
    result = Result()
    data = pictures.data()
    if data is None:
        result.notes.append("Photos with boxes are needed: SEESAY_DATA=folder with boxes/images and boxes/boxes")
        return result
    names, photos = _read(data / "boxes")
    photos = photos[:4] if quick else photos
    kept = os.environ.get("SEESAY_VECTORS")
    model = Remembering(seesay.load(), Path(kept) if kept else None)
    kinds: dict[str, WindowDetector] = {
        "the whole photo": Whole(model),
        "random windows": Random(model),
        "windows alone": Windows(model),
        "windows and regions": WindowDetector(model),
    }
    found: dict[str, list[Detections]] = {kind: [] for kind in kinds}
    for photo in photos:
        model.read(photo.name)
        for kind, boxes in found.items():
            boxes.append(kinds[kind].detect(photo.image, names))
        model.write(photo.name)
    _tell(result, found, [photo.true for photo in photos], len(names))
    start = time.perf_counter()
    WindowDetector(model.model).detect(photos[0].image, names)
    seconds = time.perf_counter() - start
    result.figures |= {"photos": len(photos), "seconds_per_photo": round(seconds, 2)}
    result.notes.append(
        f"A photo takes {seconds:.1f} s here: {MOST_PROPOSALS} parts of it are encoded twice. AP as low as this means that a "
        "box drawn is seldom right. The model was trained to say what a whole picture shows; where things end it has "
        "never been shown. Use a trained detector where boxes matter."
    )
    return result


def _read(folder: Path) -> tuple[list[str], list[Photo]]:
    """All names, and the photos with the indices of theirs."""
    lines = {
        file.stem: [line.split() for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
        for file in sorted((folder / "boxes").glob("*.txt"))
    }
    names = sorted({line[0] for boxes in lines.values() for line in boxes})
    photos = []
    for stem, boxes in lines.items():
        sides = np.asarray([line[1:5] for line in boxes], dtype=np.float32)
        labels = np.asarray([names.index(line[0]) for line in boxes])
        with Image.open(folder / "images" / f"{stem}.webp") as image:
            photos.append(Photo(stem, image.convert("RGB"), Detections(sides, np.ones(len(boxes), dtype=np.float32), labels)))
    return [WORDS.get(name, name) for name in names], photos


def _tell(result: Result, found: dict[str, list[Detections]], true: list[Detections], labels: int) -> None:
    """Fills in AP per kind of proposal, the goals, and what the default selection shows."""
    every = {kind: [select(each, EVERY) for each in boxes] for kind, boxes in found.items()}
    shown = replace(SELECTION, threshold=EVERY.threshold, most=EVERY.most)
    every["as the command selects"] = [select(each, shown) for each in found["windows and regions"]]
    rows: list[tuple[str, ...]] = []
    means: dict[str, float] = {}
    for kind, boxes in every.items():
        means[kind] = _mean(boxes, true, labels, "coco")
        voc, (low, high) = _mean(boxes, true, labels, "voc"), _interval(boxes, true, labels)
        rows.append((kind, f"{means[kind]:.1%}", f"{low:.1%} to {high:.1%}", f"{voc:.1%}"))
        result.figures[kind.replace(" ", "_")] = {"coco": round(means[kind], 4), "voc": round(voc, 4)}
    result.tables = [
        Table(f"AP@0.5 on {len(true)} photos", ("boxes", "COCO", "90 % of draws", "VOC"), rows),
        _at_threshold(found["windows and regions"], true),
    ]
    for peer in ("the whole photo", "random windows"):
        result.goals.append(Goal(f"AP@0.5 of {peer}, to ours", means[peer] / max(means["windows and regions"], 1e-9), 1.0))


def _mean(found: Sequence[Detections], true: Sequence[Detections], labels: int, rule: Rule) -> float:
    return float(np.nanmean(average_precision(found, true, labels, rule=rule)))


def _interval(found: Sequence[Detections], true: Sequence[Detections], labels: int) -> tuple[float, float]:
    draw, values = np.random.default_rng(0), []
    pictures = [matches(*pair, labels) for pair in zip(found, true, strict=True)]
    for _ in range(DRAWS):
        rows = draw.integers(0, len(true), len(true))
        values.append(np.nanmean([average([pictures[row][label] for row in rows]) for label in range(labels)]))
    return float(np.quantile(values, 0.05)), float(np.quantile(values, 0.95))


def _at_threshold(found: Sequence[Detections], true: Sequence[Detections]) -> Table:
    """How many boxes the command shows, and how many of them are right."""
    rows: list[tuple[str, ...]] = []
    for threshold in (SELECTION.threshold, 0.8):
        count = right = reached = 0
        for each, wanted in zip(found, true, strict=True):
            boxes = select(each, replace(SELECTION, threshold=threshold))
            hits = (iou(boxes.boxes, wanted.boxes) >= 0.5) & (boxes.labels[:, None] == wanted.labels[None])
            count, right, reached = (
                count + len(boxes),
                right + int(hits.any(axis=1).sum()),
                reached + int(hits.any(axis=0).sum()),
            )
        shares = f"{right / max(count, 1):.0%}", f"{reached / sum(map(len, true)):.0%}"
        rows.append((f"{threshold:g}", f"{count / len(true):.1f}", *shares))
    return Table("What the command shows", ("threshold", "boxes a photo", "of them right", "true boxes found"), rows)


if __name__ == "__main__":
    run("detection", __doc__ or "", measure)
