"""Whole runs in one of several processes: `python -m` this module with FOLDER RANK COUNT and lists of settings as JSON."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from torch._C._distributed_c10d import FileStore

from seesay.training.process_group import ProcessGroup
from seesay.training.recipe import read_recipe
from seesay.training.trainer import train

PROJECT = Path(__file__).parents[2]


def run_together(folder: Path, count: int, runs: Sequence[Sequence[str]]) -> None:
    """Runs `recipe.toml` in a folder with each of these lists of settings, in several processes."""
    (folder / "store").unlink(missing_ok=True)
    command = [sys.executable, "-W", "ignore", "-m", "tests.training.process_runs", str(folder)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(PROJECT), *sys.path]), "OMP_NUM_THREADS": "1"}
    running = [
        subprocess.Popen(
            [*command, str(rank), str(count), json.dumps(runs)], cwd=folder, env=environment, stderr=subprocess.PIPE
        )
        for rank in range(count)
    ]
    for process in running:
        _, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors.decode()


def main(folder: Path, rank: int, count: int, runs: list[list[str]]) -> None:
    torch.set_num_threads(1)
    group = ProcessGroup(FileStore(str(folder / "store"), count), rank, count)
    group.begin(120)
    for sets in runs:
        recipe = read_recipe(folder / "recipe.toml", sets)
        train(recipe, resume=(recipe.folder / "checkpoints").is_dir(), processes=group)
    group.end()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), json.loads(sys.argv[4]))
