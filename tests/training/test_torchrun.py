"""`seesay train` under torchrun: whole runs of two processes."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import seesay
from seesay.training.run.checkpoints import CheckpointFolder
from seesay.training.run.log import read_log
from tests.training.conftest import VALIDATION, Make

PROJECT = Path(__file__).parents[2]
LAUNCH = (sys.executable, "-W", "ignore", "-m", "torch.distributed.run", "--nproc-per-node", "2", "--rdzv-backend", "c10d")
ALONE = (sys.executable, "-W", "ignore")
TOLERANCE = 1e-3  # of losses, between runs of two and of one process


def start(launcher: tuple[str, ...], *settings: str, flags: tuple[str, ...] = ()) -> subprocess.Popen[str]:
    rendezvous = ("--rdzv-endpoint", "localhost:0") if launcher is LAUNCH else ()
    command = [*launcher, *rendezvous, "-m", "seesay", "train", "recipe.toml", *flags]
    command += [part for setting in settings for part in ("--set", setting)]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def run(launcher: tuple[str, ...], *settings: str, flags: tuple[str, ...] = ()) -> tuple[int, str, str]:
    process = start(launcher, *settings, flags=flags)
    out, errors = process.communicate(timeout=300)
    return process.returncode, out, errors


def worker(process: subprocess.Popen[str], rank: int) -> int:
    """The process id of a worker of torchrun."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                variables = (entry / "environ").read_bytes().split(b"\0")
            except OSError:
                continue
            if parent == process.pid and f"RANK={rank}".encode() in variables:
                return int(entry.name)
    raise AssertionError("there is no such worker")


def wait_for_step(process: subprocess.Popen[str], folder: str, step: int) -> None:
    checkpoints = CheckpointFolder(Path(folder) / "checkpoints", 2)
    while process.poll() is None and (checkpoints.steps() or [0])[-1] < step:
        time.sleep(0.02)
    assert process.poll() is None, process.communicate()[1]


def losses(folder: str) -> list[float]:
    return [record["loss"] for record in read_log(Path(folder) / "log.jsonl") if "loss" in record]


@pytest.mark.usefixtures("world")
def test_two_processes_train_as_one_does_and_one_speaks(recipe: Make) -> None:
    recipe(more=VALIDATION.replace("20", "4"))
    sets = ("steps=8", "data.parts=2", "data.augment.crop_scale=[0.5,1.0]", "optimizer.ema=0.8", "optimizer.clip_norm=1.0")
    code, out, errors = run(LAUNCH, *sets, "out=two", flags=("--json",))
    assert code == 0, errors
    document: dict[str, Any] = json.loads(out)
    assert (document["step"], document["model"]) == (8, "two/model")
    assert errors.count("step 8 of 8") == 1
    assert run(ALONE, *sets, "out=one")[0] == 0
    assert losses("two") == pytest.approx(losses("one"), abs=TOLERANCE)
    scores = [
        [record["score"] for record in read_log(Path(name) / "log.jsonl") if "score" in record] for name in ("one", "two")
    ]
    assert scores[0] == pytest.approx(scores[1], abs=0.07)  # a sixteenth is one picture
    assert seesay.load("two").encode_text("a red square").shape == (1, 24)


@pytest.mark.usefixtures("world")
def test_a_killed_worker_ends_the_run_which_goes_on_in_one_process_and_in_two(recipe: Make) -> None:
    recipe()
    sets = ("optimizer.schedule=constant", "checkpoints.every=2", "data.augment.colour=0.2")
    process = start(LAUNCH, *sets, "steps=100000", "out=broken")
    wait_for_step(process, "broken", 4)
    os.kill(worker(process, 1), signal.SIGKILL)
    began = time.monotonic()
    _, errors = process.communicate(timeout=300)
    assert process.returncode != 0
    assert time.monotonic() - began < 60  # and not distributed.timeout_s, ten minutes
    assert errors.count("seesay: another process of this run has ended") == 1
    assert "start again with --resume" in errors
    assert "[rank" not in errors  # as the tracebacks of workers begin
    last = CheckpointFolder(Path("broken/checkpoints"), 2).steps()[-1]
    assert run(ALONE, *sets, f"steps={last + 4}", "out=broken", flags=("--resume",))[0] == 0
    assert run(LAUNCH, *sets, f"steps={last + 8}", "out=broken", flags=("--resume",))[0] == 0
    assert run(ALONE, *sets, f"steps={last + 8}", "out=whole")[0] == 0
    assert losses("broken") == pytest.approx(losses("whole"), abs=TOLERANCE)


@pytest.mark.usefixtures("world")
def test_ctrl_c_stops_all_at_one_step_with_a_checkpoint(recipe: Make) -> None:
    recipe()
    process = start(LAUNCH, "steps=100000", "checkpoints.every=2")
    wait_for_step(process, "run", 2)
    process.send_signal(signal.SIGINT)
    out, errors = process.communicate(timeout=300)
    assert process.returncode != 0
    assert errors.count("seesay: stopping after this step") == 1
    assert out.count("--resume goes on, --finish writes the model as it is") == 1
    assert (code := run(ALONE, "steps=100000", flags=("--finish",)))[0] == 0, code
    assert seesay.load("run").dim == 24


@pytest.mark.usefixtures("world")
def test_a_batch_that_two_processes_cannot_share_is_told_once_and_at_once(recipe: Make) -> None:
    recipe()
    code, out, errors = run(LAUNCH, "data.batch=15")
    assert code != 0
    assert out == ""
    assert errors.count("seesay: data.batch: expected one that can be cut into 2 equal parts") == 1
