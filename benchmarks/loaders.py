"""The contenders of data_loading.py, each alone in a process: `python loaders.py NAME PATTERN WARM_UP PICTURES`.

Prints the seconds that PICTURES pictures took after WARM_UP others, when no pipeline has anything ready any more, and the
seconds of cores that this process and its workers used meanwhile.
"""

import math
import multiprocessing
import os
import random
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

SIZE_PX = 224
BATCH = 32
SHUFFLE = 500
SCALE = (0.5, 1.0)
WORKERS = 2


def main() -> None:
    name, pattern, warm_up, pictures = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:])
    batches = CONTENDERS[name](pattern)
    for _ in range(warm_up // BATCH):
        next(batches)
    started, used = time.perf_counter(), core_seconds()
    for _ in range(pictures // BATCH):
        assert next(batches).shape == (BATCH, 3, SIZE_PX, SIZE_PX)
    print(time.perf_counter() - started, core_seconds() - used, flush=True)


def core_seconds() -> float:
    """Core seconds of this process and its workers; of this process alone if the system does not say."""
    ticks = 0
    for worker in multiprocessing.active_children():
        try:
            ticks += sum(map(int, Path(f"/proc/{worker.pid}/stat").read_text().rpartition(")")[2].split()[11:13]))
        except OSError:
            continue
    return sum(os.times()[:2]) + (ticks / os.sysconf("SC_CLK_TCK") if ticks else 0.0)


def seesay(pattern: str) -> Iterator[np.ndarray]:
    """`training.loader.Loader`, 2 threads, JPEGs decoded in the fast mode."""
    return ours(pattern, "fast")


def seesay_exact(pattern: str) -> Iterator[np.ndarray]:
    return ours(pattern, "exact")


def ours(pattern: str, decode: Any) -> Iterator[np.ndarray]:
    from seesay.images.augment import Augment, augment
    from seesay.images.read import read
    from seesay.images.spec import ImageSpec
    from seesay.training.data.loader import Loader
    from seesay.training.data.samples import Sample
    from seesay.training.data.shards import Shards, open_shards

    spec = ImageSpec(SIZE_PX, "shortest", SIZE_PX, "bicubic", (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    how = Augment(crop_scale=SCALE)

    def prepare(sample: Sample, rng: np.random.Generator) -> np.ndarray:
        return augment(read(sample.image, decode=decode, enough_px=how.enough_px(spec), name=sample.name), spec, how, rng)

    source = open_shards(Shards(shards=(pattern,), shuffle=SHUFFLE), Path("/"))
    return (np.stack(batch.values) for batch in Loader(source, prepare, batch=BATCH, seed=0, threads=WORKERS))


def webdataset(pattern: str) -> Iterator[np.ndarray]:
    """The library's pipeline in one process."""
    return (pictures for pictures, _ in pipeline(pattern).batched(BATCH, partial=False))


def webdataset_workers(pattern: str) -> Iterator[np.ndarray]:
    """The library's documented setup: batches made in the workers of torch's DataLoader."""
    from torch.utils.data import DataLoader

    batches = pipeline(pattern).batched(BATCH, partial=False)
    return (pictures for pictures, _ in DataLoader(batches, batch_size=None, num_workers=WORKERS))


def pipeline(pattern: str) -> Any:
    import webdataset as wds

    shards = wds.WebDataset(pattern, shardshuffle=100, empty_check=False).repeat()
    return shards.shuffle(SHUFFLE).decode("pil").to_tuple("jpg;png;webp", "txt").map_tuple(levels, str)


def levels(image: Any) -> np.ndarray:
    """torchvision's RandomResizedCrop of a PIL image, with channels first."""
    from PIL import Image

    left, top, width, height = crop(*image.size)
    cut = image.crop((left, top, left + width, top + height)).resize((SIZE_PX, SIZE_PX), Image.Resampling.BICUBIC)
    return np.ascontiguousarray(np.asarray(cut).transpose(2, 0, 1))


def crop(width: int, height: int) -> tuple[int, int, int, int]:
    for _ in range(10):
        area = width * height * random.uniform(*SCALE)
        aspect = math.exp(random.uniform(math.log(3 / 4), math.log(4 / 3)))
        w, h = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
        if 0 < w <= width and 0 < h <= height:
            return random.randint(0, width - w), random.randint(0, height - h), w, h
    side = min(width, height)
    return (width - side) // 2, (height - side) // 2, side, side


CONTENDERS: dict[str, Callable[[str], Iterator[np.ndarray]]] = {
    "seesay": seesay,
    "seesay-exact": seesay_exact,
    "webdataset": webdataset,
    "webdataset-workers": webdataset_workers,
}

if __name__ == "__main__":
    main()
