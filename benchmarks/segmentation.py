"""Where things are: masks of street scenes against what needs no text, and points in rooms against the centre.

    SEESAY_DATA=... python benchmarks/segmentation.py [--quick] [--json]

CamVid (Brostow, Fauqueur and Cipolla 2009): 101 frames of one drive with 11 classes, of which every fourth one is divided by
the names of its classes. Mean IoU over classes, without void. Peers: one label for the whole picture, the model's or the right
one; and a location prior, each pixel's most frequent class in the other half of the drive. The frames are a fifteenth of a
second apart, so that a prior from the frames between knows the very scene; it is a peer, too. Variants leave out one part of
the method each. "And the prior" adds a prior's logarithm to the maps: what the texts say beyond it.

Pointing (Zhang and others 2016): in 39 photos of rooms with boxes, for each class that a photo has, the highest point of its
map is right in one of its boxes. Peer: the centre of the picture.

Goals: mean IoU above both peers; pointing at least 1.5 times as often right as the centre.
"""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from benchmark import Goal, Result, Table, run
from pictures import data
from PIL import Image

import seesay
from seesay.tasks.dense import Cells, picture_cells
from seesay.tasks.explanation import SCALES
from seesay.tasks.prompts import TEMPLATES
from seesay.tasks.segmentation import CellSegmenter, Choice, choose, work_size

CLASSES = ("sky", "building", "pole", "road", "pavement", "tree", "sign", "fence", "car", "pedestrian", "bicyclist")
VOID = len(CLASSES)
WORDS = {
    "coffeetable": "coffee table",
    "diningtable": "dining table",
    "pictureframe": "picture frame",
    "pottedplant": "potted plant",
    "tincan": "tin can",
    "tvmonitor": "tv monitor",
    "wastecontainer": "waste container",
    "windowblind": "window blind",
}
Masks = np.ndarray  # (N, height, width) uint8


@dataclass(frozen=True)
class Room:
    """A photo with the boxes (x0, y0, x1, y1) of each class that it has."""

    file: Path
    boxes: dict[str, list[tuple[float, ...]]]

    def hit(self, name: str, x: float, y: float) -> bool:
        return any(x0 <= x <= x1 and y0 <= y <= y1 for x0, y0, x1, y1 in self.boxes[name])


def measure(quick: bool) -> Result:
    result = Result()
    folder = data()
    if folder is None:
        result.notes.append("CamVid and boxes are needed: SEESAY_DATA=folder with camvid and boxes")
        return result
    model = seesay.load()
    _streets(result, CellSegmenter(model), folder / "camvid", quick)
    _rooms(result, CellSegmenter(model), folder / "boxes", quick)
    return result


def _streets(result: Result, segmenter: CellSegmenter, folder: Path, quick: bool) -> None:
    files = sorted((folder / "images").iterdir())
    masks = np.stack([np.asarray(Image.open(folder / "masks" / f"{file.stem}.png")) for file in files])
    tested = list(range(1, len(files), 20 if quick else 4))
    pictures = [Image.open(files[at]).convert("RGB") for at in tested]
    true, middle = masks[tested], len(files) // 2
    other = [_frequencies(masks[middle:] if at < middle else masks[:middle]) for at in tested]
    between = _frequencies(np.delete(masks, tested, axis=0))
    cells = [picture_cells(segmenter.encoder, np.asarray(picture), scales=segmenter.scales) for picture in pictures]
    texts = segmenter.encoder.encode_text([f"a photo of a {name}." for name in CLASSES])
    whole = (segmenter.encoder.encode_image(pictures) @ texts.T).argmax(axis=1)
    right = [np.bincount(mask[mask != VOID], minlength=VOID).argmax() for mask in true]
    masks_by_way = {
        "location prior, other half of the drive": np.stack([prior.argmax(axis=0) for prior in other]),
        "location prior, frames between": np.stack([between.argmax(axis=0)] * len(tested)),
        "whole picture, the model's label": np.stack([np.full(true.shape[1:], label) for label in whole]),
        "whole picture, the right label": np.stack([np.full(true.shape[1:], label) for label in right]),
    }
    masks_by_way |= dict(_ways(segmenter, pictures, cells, other, between))
    rows: list[tuple[str, ...]] = []
    means = {}
    for way, found in masks_by_way.items():
        scores = _iou(found, true)
        means[way] = float(scores.mean())
        rows.append((way, f"{means[way]:.1%}", *(f"{score:.0%}" for score in scores)))
    ours, peers = means["all classes, no background"], [means[way] for way in list(masks_by_way)[:4]]
    result.tables.append(Table(f"mean IoU on {len(tested)} frames of CamVid", ("", "mean", *CLASSES), rows))
    result.goals += [
        Goal("CamVid: mean IoU of the prior from the other half to ours", peers[0] / ours, 1),
        Goal("CamVid: mean IoU of the prior from the frames between to ours", peers[1] / ours, 1),
        Goal("CamVid: mean IoU of whole-picture labels to ours", max(peers[2:]) / ours, 1),
    ]
    result.figures["camvid_iou"] = {way: round(mean, 4) for way, mean in means.items()}


def _ways(
    segmenter: CellSegmenter, pictures: list[Image.Image], cells: list[Cells], other: list[np.ndarray], between: np.ndarray
) -> Iterator[tuple[str, Masks]]:
    """Each variant's name and its masks. Where it says nothing else, the classes are all that there is."""
    closed = replace(segmenter, background=())
    yield "as the command does it, with a background", _divided(segmenter, pictures, cells)
    yield "all classes, no background", _divided(closed, pictures, cells)
    yield "without the guided filter", _divided(replace(closed, choice=Choice(refined=False)), pictures, cells)
    yield "without contrast", _divided(replace(closed, contrast=0.0), pictures, cells)
    yield "prompts of classification", _divided(replace(closed, templates=TEMPLATES), pictures, cells)
    yield "only windows of the shorter side", _divided(closed, pictures, [_of_scales(each, (0,)) for each in cells])
    yield "without the smallest windows", _divided(closed, pictures, [_of_scales(each, (0, 1)) for each in cells])
    for whose, priors in (("the other half", other), ("the frames between", [between] * len(cells))):
        yield f"no background, and the prior from {whose}", _with_priors(closed, pictures, cells, priors)


def _with_priors(segmenter: CellSegmenter, pictures: list[Image.Image], cells: list[Cells], priors: list[np.ndarray]) -> Masks:
    texts, found = segmenter.embeddings(CLASSES), []
    for picture, each, prior in zip(pictures, cells, priors, strict=True):
        size = work_size(each.size)[::-1]
        small = [Image.fromarray(share.astype(np.float32)).resize(size, Image.Resampling.BOX) for share in prior]
        shares = np.stack([np.asarray(share) for share in small], axis=-1)
        maps = segmenter.maps(each, texts) + np.log(shares + 1e-3)
        found.append(choose(maps, picture, CLASSES, segmenter.choice).mask)
    return np.stack(found)


def _divided(segmenter: CellSegmenter, pictures: list[Image.Image], cells: list[Cells]) -> Masks:
    texts = segmenter.embeddings(CLASSES)
    return np.stack(
        [
            choose(segmenter.maps(each, texts), picture, CLASSES, segmenter.choice).mask
            for picture, each in zip(pictures, cells, strict=True)
        ]
    )


def _of_scales(cells: Cells, scales: tuple[int, ...]) -> Cells:
    """The cells of some scales alone."""
    kept = [at for at, scale in enumerate(cells.scales) if scale in scales]
    return Cells(
        cells.size, tuple(cells.windows[at] for at in kept), tuple(cells.scales[at] for at in kept), cells.vectors[kept]
    )


def _frequencies(masks: Masks) -> np.ndarray:
    """How often each pixel has each class: (classes, height, width)."""
    return np.stack([(masks == label).mean(axis=0) for label in range(VOID)])


def _iou(found: Masks, true: Masks) -> np.ndarray:
    """The intersection over union of each class, over all pixels that are not void."""
    known = true != VOID
    scores = []
    for label in range(VOID):
        a, b = (found == label) & known, (true == label) & known
        scores.append((a & b).sum() / max(1, (a | b).sum()))
    return np.array(scores)


def _rooms(result: Result, segmenter: CellSegmenter, folder: Path, quick: bool) -> None:
    rooms = list(_read_rooms(folder))[:: 8 if quick else 1]
    names = sorted({name for room in rooms for name in room.boxes})
    plain = segmenter.encoder.encode_text(names)
    closed = replace(segmenter, background=())
    texts = closed.embeddings(names)
    counts = {"the centre": 0, "seesay explain": 0, "seesay segment": 0}
    for room in rooms:
        picture = np.asarray(Image.open(room.file).convert("RGB"))
        few = picture_cells(segmenter.encoder, picture, scales=SCALES)
        many = picture_cells(segmenter.encoder, picture, scales=segmenter.scales)
        size = work_size(few.size)
        maps = {"seesay explain": few.maps(few.cosines(plain), size), "seesay segment": closed.maps(many, texts)}
        for name in room.boxes:
            counts["the centre"] += room.hit(name, few.size[1] / 2, few.size[0] / 2)
            for way, found in maps.items():
                y, x = np.unravel_index(found[:, :, names.index(name)].argmax(), size)
                counts[way] += room.hit(name, (x + 0.5) * few.size[1] / size[1], (y + 0.5) * few.size[0] / size[0])
    total = sum(len(room.boxes) for room in rooms)
    shares = {way: count / total for way, count in counts.items()}
    pointed: list[tuple[str, ...]] = [
        (way, f"{share:.1%}", f"{share / shares['the centre']:.2f}") for way, share in shares.items()
    ]
    title = f"Points that lie in a box of their class, {total} classes in {len(rooms)} photos of rooms"
    result.tables.append(Table(title, ("the highest point of", "right", "times the centre"), pointed))
    result.goals += [
        Goal(f"pointing: 1.5 times the centre's share to that of {way}", 1.5 * shares["the centre"] / shares[way], 1)
        for way in ("seesay explain", "seesay segment")
    ]
    result.figures["pointing"] = {way: round(share, 4) for way, share in shares.items()}


def _read_rooms(folder: Path) -> Iterator[Room]:
    for table in sorted((folder / "boxes").glob("*.txt")):
        boxes: dict[str, list[tuple[float, ...]]] = {}
        with table.open(encoding="utf-8", newline="") as stream:
            for name, *sides in csv.reader(stream, delimiter=" ", skipinitialspace=True):
                boxes.setdefault(WORDS.get(name, name), []).append(
                    tuple(float(side) for side in sides if re.search(r"\d", side))
                )
        for file in (folder / "images").glob(f"{table.stem}.*"):
            yield Room(file, boxes)


if __name__ == "__main__":
    run("segmentation", __doc__ or "", measure)
