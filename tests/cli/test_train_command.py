"""`seesay train`: what it prints, what it leaves, and how it stops."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.cli.conftest import Run
from tests.training.conftest import VALIDATION, Make, recipe, world

__all__ = ["recipe", "world"]  # fixtures


def test_a_recipe_trains_a_model_that_other_commands_use(world: Path, recipe: Make, run: Run) -> None:
    recipe(more=VALIDATION.replace('language = "en"\n', ""))
    result = run("train", "recipe.toml", "--set", "steps=25", "--set", "out=here", "--json")
    assert result.code == 0
    document = json.loads(result.out)
    assert (document["step"], document["steps"], document["left_out"]["reasons"]) == (25, 25, {})
    assert "seesay: step 25 of 25: loss" in result.err
    assert "those in en are used (--set validation.language=zh)" in result.err
    shown = run("models", "info", "here")
    assert "Recipe world" in shown.out
    assert "text to image R@1" in shown.out
    assert set(document["best"]["text_to_image"]) == {"R@1", "R@5", "R@10"}
    assert Path(document["report"]).is_file()
    measured = run("eval", "retrieval", "--data", "captions.tsv", "--split", "val", "--model", document["model"], "--json")
    assert json.loads(measured.out)["text_to_image"].keys() == document["best"]["text_to_image"].keys()
    again = run("train", "recipe.toml", "--set", "out=here")
    assert again.code == 2
    assert "holds a run that has come to step 25. --resume goes on" in again.err


def test_a_bad_recipe_is_told_whole_and_without_a_traceback(world: Path, recipe: Make, run: Run) -> None:
    recipe()
    result = run("train", "recipe.toml", "--set", "optimizer.lr=1", "--set", "data.batch=0")
    assert result.code == 2
    assert "optimizer.lr: unknown key" in result.err
    assert "data.batch: expected at least 2" in result.err
    assert "Traceback" not in result.err
    assert "cannot be read" in run("train", "absent.toml").err


def test_ctrl_c_stops_after_the_step_with_a_checkpoint(world: Path, recipe: Make) -> None:
    recipe()
    command = [sys.executable, "-m", "seesay", "train", "recipe.toml", "--set", "steps=100000", "--set", "checkpoints.every=5"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while process.poll() is None and not list((world / "run").glob("checkpoints/step-*.pt")):
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "stopping after this step" in err
    assert "of 100000; --resume goes on, --finish writes the model as it is" in out
    ended = subprocess.run([*command, "--finish"], capture_output=True, text=True, check=True)
    assert f"model          {Path('run/model')}" in ended.stdout
    assert (world / "run" / "model" / "config.json").is_file()
    assert "Traceback" not in err
