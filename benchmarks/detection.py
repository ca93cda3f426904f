"""Average precision of `seesay detect` with the bundled model on photos of rooms, beside boxes that look at nothing.

    SEESAY_DATA=... python benchmarks/detection.py [--quick] [--json]

The set has 39 photos with 295 boxes of 30 names. They are looked for twice: all 30 in every photo, as by someone who does not
know what is there, and only those that are there. A box is right if its IoU with a true one is at least 0.5 (AP@0.5, as COCO
and as Pascal VOC count it, the mean over names; boxes under a score of 0.02 are left out). Peers: the whole photo as one box
per name, with its own score; and windows of random sides and places, as many as there are regular ones, classified in the same
way. The interval is that of 90 % of 400 draws of the photos.

Goals: the peers' AP is at most ours, over all names.
"""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from benchmark import Goal, Result, Table, run
from PIL import Image

import seesay
from seesay.evaluation.detection import Rule, average_precision
from seesay.model import Model
from seesay.models.detector import Detections, Selection
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
    """A model that encodes no part of a picture twice."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.image_spec, self.logits, self.encode_text = model.image_spec, model.logits, model.encode_text
        self.known: dict[bytes, np.ndarray] = {}

    def encode_image(self, items: Sequence[Image.Image]) -> np.ndarray:
        keys = [item.tobytes() for item in items]
        if new := {key: item for key, item in zip(keys, items, strict=True) if key not in self.known}:
            self.known |= dict(zip(new, self.model.encode_image(list(new.values())), strict=True))
        return np.stack([self.known[key] for key in keys])

    def encode_dense(self, items: Sequence[Image.Image]) -> np.ndarray:
        key = b"dense" + b"".join(item.tobytes() for item in items)
        if key not in self.known:
            self.known[key] = self.model.encode_dense(items)
        return self.known[key]


def measure(quick: bool) -> Result:
    result = Result()
    data = os.environ.get("SEESAY_DATA")
    if data is None:
        result.notes.append("Photos with boxes are needed: SEESAY_DATA=folder with boxes/images and boxes/boxes")
        return result
    names, photos = _read(Path(data) / "boxes")
    photos = photos[:4] if quick else photos
    model = Remembering(seesay.load())
    kinds: dict[str, WindowDetector] = {
        "the whole photo": Whole(model),
        "random windows": Random(model),
        "windows alone": Windows(model),
        "windows and regions": WindowDetector(model),
    }
    found = {(kind, there): [] for kind in kinds for there in (False, True)}
    for photo in photos:
        model.known.clear()
        for (kind, there), boxes in found.items():
            asked = np.unique(photo.true.labels) if there else np.arange(len(names))
            some = kinds[kind].detect(photo.image, [names[label] for label in asked])
            boxes.append(Detections(some.boxes, some.scores, asked[some.labels]))
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
            photos.append(Photo(image.convert("RGB"), Detections(sides, np.ones(len(boxes), dtype=np.float32), labels)))
    return [WORDS.get(name, name) for name in names], photos


def _tell(result: Result, found: dict[tuple[str, bool], list[Detections]], true: list[Detections], labels: int) -> None:
    """Fills in AP per kind of proposal, the goals, and what the default selection shows."""
    every = {key: [select(each, EVERY) for each in boxes] for key, boxes in found.items()}
    shown = replace(SELECTION, threshold=EVERY.threshold, most=EVERY.most)
    every |= {
        ("as the command selects", there): [select(each, shown) for each in found["windows and regions", there]]
        for there in (False, True)
    }
    rows, means = [], {}
    for kind in dict.fromkeys(kind for kind, _ in every):
        cells = []
        for there in (False, True):
            for rule in ("coco", "voc"):
                means[kind, there, rule] = _mean(every[kind, there], true, labels, rule)
                cells.append(f"{means[kind, there, rule]:.1%}")
            low, high = _interval(every[kind, there], true, labels)
            cells.append(f"{low:.1%} to {high:.1%}")
        rows.append((kind, *cells))
        result.figures[kind.replace(" ", "_")] = {
            f"{'there' if there else 'all'}_{rule}": round(means[kind, there, rule], 4)
            for there in (False, True)
            for rule in ("coco", "voc")
        }
    header = ("boxes", "all names: COCO", "VOC", "90 % of draws", "names that are there: COCO", "VOC", "90 % of draws")
    result.tables = [Table(f"AP@0.5 on {len(true)} photos", header, rows), _at_threshold(found, true)]
    ours = means["windows and regions", False, "coco"]
    for peer in ("the whole photo", "random windows"):
        result.goals.append(Goal(f"AP@0.5 of {peer}, to ours", means[peer, False, "coco"] / max(ours, 1e-9), 1.0))


def _mean(found: Sequence[Detections], true: Sequence[Detections], labels: int, rule: Rule) -> float:
    return float(np.nanmean(average_precision(found, true, labels, rule=rule)))


def _interval(found: Sequence[Detections], true: Sequence[Detections], labels: int) -> tuple[float, float]:
    draw, values = np.random.default_rng(0), []
    for _ in range(DRAWS):
        rows = draw.integers(0, len(true), len(true))
        values.append(_mean([found[row] for row in rows], [true[row] for row in rows], labels, "coco"))
    return float(np.quantile(values, 0.05)), float(np.quantile(values, 0.95))


def _at_threshold(found: dict[tuple[str, bool], list[Detections]], true: list[Detections]) -> Table:
    """How many boxes the command shows, and how many of them are right."""
    rows = []
    for there in (False, True):
        for threshold in (SELECTION.threshold, 0.8):
            right = count = reached = 0
            for each, wanted in zip(found["windows and regions", there], true, strict=True):
                boxes = select(each, replace(SELECTION, threshold=threshold))
                hits = (iou(boxes.boxes, wanted.boxes) >= 0.5) & (boxes.labels[:, None] == wanted.labels[None])
                count, right, reached = (
                    count + len(boxes),
                    right + int(hits.any(axis=1).sum()),
                    reached + int(hits.any(axis=0).sum()),
                )
            total = sum(map(len, true))
            asked = "names that are there" if there else "all names"
            rows.append(
                (asked, f"{threshold:g}", f"{count / len(true):.1f}", f"{right / max(count, 1):.0%}", f"{reached / total:.0%}")
            )
    return Table("What the command shows", ("asked", "threshold", "boxes a photo", "of them right", "true boxes found"), rows)


if __name__ == "__main__":
    run("detection", __doc__ or "", measure)
