"""Encodes windows of pictures that are in the library already, so that small things in them are found."""

import hashlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from seesay.errors import UnreadableImage
from seesay.images.preprocess import shown_whole
from seesay.images.read import read, read_bytes
from seesay.library.storage.regions import RegionRows
from seesay.library.storage.rows import Space
from seesay.library.storage.store import Store
from seesay.library.vectors import open_index
from seesay.library.vectors.sync import compact, sync
from seesay.model import IMAGE_BATCH, Model
from seesay.system.cpu import available_cores
from seesay.system.paths import printable
from seesay.system.prefetch import prefetch
from seesay.system.progress import Progress
from seesay.tasks.dense import window_boxes

SCALE = 0.6  # side of a window, in shorter sides of the picture
OVERLAP = 1 / 3
LEAST_PX = 64  # the shorter side of a picture that has parts worth looking at
MOST_WINDOWS = 9  # evenly spread over a long picture
COMMIT_SECONDS = 2.0


class Parts(NamedTuple):
    """A picture cut into windows. boxes: (n, 4), shares of its sides. images: as the tower sees them."""

    vector_id: int
    boxes: np.ndarray
    images: list[Image.Image]


def index_regions(store: Store, model: Model, space: Space, contents: list[int], progress: Progress | None = None) -> int:
    """Stores the windows of those of the pictures whose windows are not stored yet -> how many were. Only for the holder of the
    lock. Killed, it goes on at the next run; a picture that cannot be read now is tried then."""
    rows = RegionRows(store.db)
    pending = rows.pending(space, contents)
    paths = store.shown_paths([content for _, content, _ in pending])
    jobs = [(vector, paths[content], digest) for vector, content, digest in pending if content in paths]
    index = open_index(store.region_folder(space), space.dim)
    sync(index, rows, space)

    def cut(job: tuple[int, str, bytes]) -> Parts | None:
        return _parts(model, *job)

    done, waiting, since = 0, list[tuple[int, np.ndarray, np.ndarray]](), time.monotonic()

    def commit() -> None:
        with store.transaction():
            for each in waiting:
                rows.put(*each)
        waiting.clear()
        sync(index, rows, space)

    try:
        parts = prefetch(cut, jobs, threads=available_cores(), ahead=IMAGE_BATCH)
        for number, (some, vectors) in enumerate(_encoded(model, parts), start=1):
            if some is not None:
                waiting.append((some.vector_id, some.boxes, vectors))
                done += 1
            if time.monotonic() - since >= COMMIT_SECONDS:
                commit()
                since = time.monotonic()
            if progress is not None:
                progress(number, len(jobs))
    finally:  # also on Ctrl-C: what is encoded is kept
        commit()
    compact(index, rows, space)
    return done


def _encoded(model: Model, parts: Iterator[Parts | None]) -> Iterator[tuple[Parts | None, np.ndarray]]:
    """Each picture's windows with their vectors (n, D), several pictures to a batch."""
    batch: list[Parts | None] = []
    for each in parts:
        batch.append(each)
        if sum(len(some.images) for some in batch if some is not None) >= IMAGE_BATCH:
            yield from _encode(model, batch)
            batch = []
    yield from _encode(model, batch)


def _encode(model: Model, batch: list[Parts | None]) -> Iterator[tuple[Parts | None, np.ndarray]]:
    images = [image for some in batch if some is not None for image in some.images]
    vectors = model.encode_image(images)
    start = 0
    for some in batch:
        count = 0 if some is None else len(some.images)
        yield some, vectors[start : start + count]
        start += count


def _parts(model: Model, vector_id: int, path: str, digest: bytes) -> Parts | None:
    """Runs in a thread. None where the file is not what it was, or cannot be read."""
    spec = model.image_spec
    try:
        data = read_bytes(Path(path), printable(path))
        if hashlib.sha256(data).digest() != digest:
            return None
        image = read(data, decode="fast", enough_px=round(spec.resize_px / SCALE), name=printable(path)).image
    except (UnreadableImage, MemoryError):
        return None
    boxes = windows(*image.size)
    images = [shown_whole(image, box, spec) for box in map(tuple, boxes.tolist())]
    return Parts(vector_id, boxes / [*image.size, *image.size], images)


def windows(width: int, height: int) -> np.ndarray:
    """The windows (n, 4) of a picture, in its pixels: 6 of one of 4:3; none of a small one."""
    if min(width, height) < LEAST_PX:
        return np.empty((0, 4))
    boxes = np.asarray(window_boxes(width, height, SCALE, OVERLAP))
    chosen = np.unique(np.linspace(0, len(boxes) - 1, min(len(boxes), MOST_WINDOWS)).round().astype(int))
    return np.asarray(boxes[chosen])
