"""The contenders of data_loading.py, each alone in a process: `python loaders.py NAME PATTERN WARM_UP PICTURES`.

Prints the seconds for PICTURES images after WARM_UP others, by when no pipeline has prefetched images left, and the CPU seconds
that this process and its workers used for them.
"""

import multiprocessing
import os
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
RNG = np.random.default_rng()


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
    """CPU seconds of this process and its workers; without /proc, of this process alone."""
    ticks = 0
    for worker in multiprocessing.active_children():
        try:
            ticks += sum(map(int, Path(f"/proc/{worker.pid}/stat").read_text().rpartition(")")[2].split()[11:13]))
        except OSError:
            continue
    return sum(os.times()[:2]) + (ticks / os.sysconf("SC_CLK_TCK") if ticks else 0.0)


def seesay(pattern: str) -> Iterator[np.ndarray]:
    """`training.data.loader.Loader`, 2 threads, JPEGs decoded in the fast mode."""
    return ours(pattern, "fast")


def seesay_exact(pattern: str) -> Iterator[np.ndarray]:
    """The same with exact decoding."""
    return ours(pattern, "exact")


def ours(pattern: str, decode: Any) -> Iterator[np.ndarray]:
    from seesay.images.augment import Augment, augment
    from seesay.images.read import read
    from seesay.images.spec import ImageSpec
    from seesay.training.data.loader import Loader
    from seesay.training.data.samples import Sample
    from seesay.training.data.shards import Shards

    spec = ImageSpec(SIZE_PX, "shortest", SIZE_PX, "bicubic", (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    crops = Augment(crop_scale=SCALE)

    def prepare(sample: Sample, rng: np.random.Generator) -> np.ndarray:
        image = read(sample.image, decode=decode, enough_px=crops.enough_px(spec), name=sample.name)
        return augment(image, spec, crops, rng)

    source = Shards(shards=(pattern,), shuffle=SHUFFLE).open(Path("/"))
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

    from seesay.images.augment import random_crop

    image_width, image_height = image.size
    left, top, width, height = random_crop(image_width, image_height, SCALE, RNG)
    cut = image.crop((left, top, left + width, top + height)).resize((SIZE_PX, SIZE_PX), Image.Resampling.BICUBIC)
    return np.ascontiguousarray(np.asarray(cut).transpose(2, 0, 1))


CONTENDERS: dict[str, Callable[[str], Iterator[np.ndarray]]] = {
    "seesay": seesay,
    "seesay-exact": seesay_exact,
    "webdataset": webdataset,
    "webdataset-workers": webdataset_workers,
}

if __name__ == "__main__":
    main()
