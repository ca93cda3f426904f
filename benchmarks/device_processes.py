"""Checks of training by several processes: one for each GPU (nccl), or two on the CPU (gloo)."""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import torch
from device_check import Absent, Check, Found, distance
from device_training import run_recipe
from safetensors.torch import load_file

from seesay.system.schema import to_json
from seesay.training.recipe import Recipe
from seesay.training.run.log import read_log

AGAINST = "one process with the same batch; length of the difference of weights after 8 steps"
MOST_S = 240


def process_checks(device: torch.device) -> list[Check]:
    """Whole runs under torchrun, beside the same run in one process."""
    return [
        Check(
            f"training by processes, {strategy}, {precision}",
            AGAINST,
            tolerance,
            partial(together, device, strategy, precision),
        )
        for strategy in ("ddp", "fsdp2")
        for precision, tolerance in (("float32", 1e-3), ("bfloat16", 2e-2))
    ]


def together(device: torch.device, strategy: str, precision: str) -> Found:
    count = torch.cuda.device_count() if device.type == "cuda" else 2
    if find_spec("seesay.training.processes") is None:
        raise Absent("this version trains in one process")
    if device.type == "mps" or count < 2:
        raise Absent(f"processes train on a GPU each, and {device.type} has {count if device.type == 'cuda' else 1}")
    count = 2 if count < 4 else 4  # which divide the batch
    folder = Path(tempfile.mkdtemp(prefix="seesay-check-"))
    try:
        # Each process drops patches of its own, so none are dropped.
        settings = [f"precision={precision}", "model.image.patch_dropout=0", "log_every=1"]
        runs = {1: run(folder, device, settings, 1)}
        runs[count] = run(folder, device, [*settings, f"distributed.strategy={strategy}"], count)
        alone, shared = (torch.cat([one.flatten() for one in load_file(file).values()]) for file in runs.values())
        moved = [[record["loss"] for record in read_log(folder / f"{n}" / "log.jsonl") if "loss" in record] for n in runs]
        return Found(distance(shared, alone), note=f"{count} processes; last losses {moved[0][-1]:.4f} and {moved[1][-1]:.4f}")
    finally:
        shutil.rmtree(folder)


def run(folder: Path, device: torch.device, settings: Sequence[str], processes: int) -> Path:
    """Trains by so many processes; returns the weights of the model."""
    out = folder / f"{processes}"
    recipe = folder / f"{processes}.toml"
    recipe.write_text(toml(run_recipe(device, out)), encoding="utf-8")
    command = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"] if processes > 1 else []
    sets = [part for setting in settings for part in ("--set", setting)]
    command = [sys.executable, *command, "-m", "seesay", "train", str(recipe), *sets]
    done = subprocess.run(command, capture_output=True, text=True, timeout=MOST_S)
    if done.returncode:
        raise RuntimeError(f"{processes} processes ended with {done.returncode}: {done.stderr.strip()[-400:]}")
    return out / "model" / "model.safetensors"


def toml(recipe: Recipe) -> str:
    """A recipe as TOML: tables as inline values, which JSON's strings, numbers and lists are already."""
    fields = to_json(recipe)
    assert isinstance(fields, dict)
    return "".join(f"{key} = {value(content)}\n" for key, content in fields.items() if content is not None)


def value(content: object) -> str:
    if isinstance(content, dict):
        return "{ " + ", ".join(f"{key} = {value(inner)}" for key, inner in content.items() if inner is not None) + " }"
    if isinstance(content, list | tuple):
        return "[" + ", ".join(value(inner) for inner in content) + "]"
    return json.dumps(content, ensure_ascii=False)
