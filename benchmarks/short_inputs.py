"""A training step on short inputs beside one on full inputs: ViT-S/16 and a small text tower (forward, backward, AdamW).

    python benchmarks/short_inputs.py [--batch 8] [--quick] [--json]

The trainer's own steps, float32, one thread, in turns, over the same captions of about a dozen tokens and pictures of 224 px
or, of the short ones, 112 px (CLIPA: Li, Wang & Xie 2023); "half of the patches" is patch dropout (FLIP: Li et al. 2023).
Samples in a second by the clock, and in a second of the core's time, which other work on the machine changes less; ratios are
of the latter. Operations are those that torch counts in the products of a step, a multiplication and an addition as two; those
of plan are what `seesay plan` counts for towers of this size, texts padded to their length.

Goal: at 112 px with texts of 8 tokens, at most 0.35 times the core time of full inputs.
"""

import os
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from benchmark import Goal, Result, Table, run
from rounds import Times, interleave
from torch.utils.flop_counter import FlopCounterMode
from train_process import CAPTIONS

from seesay.models import size
from seesay.system.schema import from_json
from seesay.training.data.loader import Batch
from seesay.training.data.samples import Sample
from seesay.training.parts import RunParts
from seesay.training.recipe import Recipe
from seesay.training.setup import set_up
from seesay.training.start.freezing import set_training
from seesay.training.step import Prepared, TrainingStep

PX, SHORT_PX, LENGTH, SHORT_LENGTH = 224, 112, 77, 8
BLOCKS = {"activation": "gelu", "layer_norm_eps": 1e-5}
IMAGE = BLOCKS | {"kind": "vit", "image_px": PX, "patch_px": 16, "width": 384, "depth": 12, "heads": 6, "mlp_width": 1536}
TEXT = BLOCKS | {"kind": "clip-text", "width": 256, "depth": 6, "heads": 4, "mlp_width": 1024, "vocabulary": 49408}
TEXT |= {"positions": LENGTH, "causal": True, "pooling": "eos", "eos_id": 49407}
LIMIT = 0.35
KINDS = {  # side of pictures, tokens of texts, share of patches dropped
    "full": (PX, LENGTH, 0.0),
    "half of the patches": (PX, LENGTH, 0.5),
    "112 px": (SHORT_PX, LENGTH, 0.0),
    "112 px, 8 tokens": (SHORT_PX, SHORT_LENGTH, 0.0),
    "112 px, 8 tokens, half of the patches": (SHORT_PX, SHORT_LENGTH, 0.5),
}


def measure(quick: bool, batch: tuple[int, ...]) -> Result:
    torch.set_num_threads(1)
    count = 4 if quick else batch[0]
    with tempfile.TemporaryDirectory() as folder:
        made = {kind: contender(Path(folder), count, *sizes) for kind, sizes in KINDS.items()}
        operations = {kind: counted(step) / count for kind, (step, _) in made.items()}
        spent: dict[str, list[float]] = {kind: [] for kind in made}
        turns = {kind: partial(timed, step, spent[kind]) for kind, (step, _) in made.items()}
        times = interleave(turns, 1 if quick else 4, warm_ups=0)
        core = {kind: Times(tuple(seconds)) for kind, seconds in spent.items()}
        planned = {kind: parts_operations(parts) for kind, (_, parts) in made.items()}
    full = core["full"]
    rows: list[tuple[str, ...]] = [
        (
            kind,
            f"{count / times[kind].median:.2f}",
            f"{count / t.median:.2f}",
            f"{full.median / t.median:.2f}",
            f"{operations[kind] / 1e9:.1f}",
            f"{operations['full'] / operations[kind]:.2f}",
            "-" if KINDS[kind][2] else f"{planned[kind] / 1e9:.1f}",
        )
        for kind, t in core.items()
    ]
    ratios = {kind: t.over(full) for kind, t in core.items()}
    header = ("", "samples/s", "a core-second", "times full", "GFLOP a sample", "full over it", "by plan's count")
    return Result(
        figures={
            "batch": count,
            "time_ratios": ratios,
            "flops": operations,
            "seconds": {kind: t.to_json() for kind, t in times.items()},
            "core_seconds": {kind: t.to_json() for kind, t in core.items()},
        },
        tables=[Table(f"A step of {count} pairs", header, rows)],
        goals=[Goal("training step, 112 px and 8 tokens, time over full inputs'", ratios["112 px, 8 tokens"], LIMIT)],
    )


def contender(folder: Path, count: int, px: int, length: int, dropout: float) -> tuple[Callable[[], float], RunParts]:
    """A step of the trainer over noise and captions, and the parts of its run."""
    texts = [CAPTIONS[i % len(CAPTIONS)].replace(" .", f" {i} .") for i in range(count)]
    table = folder / "captions.tsv"
    table.write_text("image\ttext\n" + "".join(f"{i}.jpg\t{text}\n" for i, text in enumerate(texts)), encoding="utf-8")
    values = {
        "name": "benchmark",
        "steps": 1000,
        "device": "cpu",
        "threads": 1,
        "out": str(folder / f"{px}-{length}-{dropout}"),
        "model": {
            "dim": 256,
            "image": {"config": IMAGE, "image_px": px, "patch_dropout": dropout},
            "text": {"config": TEXT, "length": length, "shortening": "block"},
        },
        "data": {"batch": count, "sources": [{"kind": "manifest", "path": str(table)}]},
        "optimizer": {"learning_rate": 1e-6},
    }
    parts = set_up(from_json(Recipe, values, "the recipe"))
    set_training(parts.clip, parts.recipe)
    levels = np.random.default_rng(0).integers(0, 256, (count, 3, px, px), dtype=np.uint8)
    samples = [Sample(Path(f"{i}.jpg"), text, str(i), None, str(i)) for i, text in enumerate(texts)]
    train = partial(TrainingStep(parts), Batch(samples, [Prepared(image) for image in levels], len(samples)))
    return lambda: float(train()["loss"]), parts


def timed(step: Callable[[], float], spent: list[float]) -> None:
    """Makes a step, and notes the core's time that it took."""
    started = time.process_time()
    step()
    spent.append(time.process_time() - started)


def counted(step: Callable[[], float]) -> float:
    """Operations of a step's products."""
    with FlopCounterMode(display=False) as counter:
        step()
    return float(counter.get_total_flops())


def parts_operations(parts: RunParts) -> float:
    """What `seesay plan` counts for a sample: three times the forward pass, no patch dropped."""
    config, length = parts.clip.config, parts.texts.tokenizer.spec.context_length
    assert config.image is not None
    assert config.text is not None
    return 3 * 2 * (size.operations(config.image, config.dim) + size.operations(config.text, config.dim, length))


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    run("short_inputs", __doc__ or "", measure, numbers={"batch": (8,)})
