"""`seesay finetune`, `seesay probe` and `seesay classify --head`: what they print, leave and refuse."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.training.conftest import recipe, world
from tests.training.test_finetune import table
from tests.training.test_finetuning_parts import base

__all__ = ["base", "recipe", "table", "world"]  # fixtures

SHORT = ("--model", "base/model", "--out", "out", "--epochs", "2", "--batch", "16", "--threads", "1")


@pytest.mark.parametrize("method", ["lora", "full", "probe"])
def test_every_method_says_what_it_gained_and_what_to_do_next(method: str, table: Path, base: Path, run: Run) -> None:
    options = (*SHORT, "--learning-rate", "0.01") if method != "probe" else SHORT
    shown = run("finetune", "--data", table, *options, "--method", method)
    assert shown.code == 0, shown.err
    assert "top-1: " in shown.out
    assert "a fifth of each class is held out: 16 of 80 pictures" in shown.err
    assert "were wrong and are right now" in shown.out
    if method == "probe":
        assert "seesay classify photo.jpg --head out/head.npz --model base/model" in shown.out
    else:
        assert "Kept of what it knew:" in shown.out
        assert "seesay models blend base/model out/model out/blend --held-out out/data/val.jsonl" in shown.out
    assert Path("out/comparison.html").is_file()
    assert Path("out/adapter").is_dir() == (method == "lora")


def test_json_has_all_and_other_commands_take_the_result(table: Path, base: Path, run: Run) -> None:
    done = json.loads(run("finetune", "--data", table, *SHORT, "--keep", table, "--json").out)
    assert (done["method"], done["kind"], done["train_pictures"], done["val_pictures"]) == ("lora", "labels", 64, 16)
    assert [score["name"] for score in done["kept"]] == ["top-1 on labels.tsv", "the same answer for everyday pictures"]
    assert "Recipe out" in run("models", "info", done["model"]).out
    assert run("models", "blend", "base/model", done["model"], "--weight", "0.5", "out/blend").code == 0
    photo = next((table.parent / "images").glob("val-*"))
    assert run("classify", photo, "--labels", "red,blue", "--model", "base/model", "--adapter", done["adapter"]).code == 0
    assert run("classify", photo, "--labels", "red,blue", "--model", "out/blend").code == 0


def test_a_head_classifies(table: Path, base: Path, run: Run) -> None:
    done = json.loads(run("probe", "--data", table, "--model", "base/model", "--out", "out", "--json").out)
    assert done["head"] == "out/head.npz"
    photo = next((table.parent / "images").glob("val-red-*"))
    shown = json.loads(run("classify", photo, "--head", "out/head.npz", "--model", "base/model", "--json").out)
    assert set(shown["labels"]) == {"red", "green", "blue", "yellow", "white", "black", "purple", "orange"}
    assert sum(shown["results"][0]["probabilities"].values()) == pytest.approx(1, abs=1e-4)
    for arguments, message in (
        (("--head", "out/head.npz"), "this head was trained on 'world', space"),
        (("--head", "out/head.npz", "--labels", "a,b"), "--head has labels of its own; leave out --labels"),
        (("--head", table), "is no head, as seesay probe writes it"),
        (("--head", "absent.npz"), "cannot be read"),
    ):
        refused = run("classify", photo, *arguments)
        assert refused.code == 2
        assert message in refused.err
        assert "Traceback" not in refused.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--data", "absent.tsv", "--out", "o"), "absent.tsv cannot be read"),
        (("--data", "labels.tsv"), "Missing option '--out'"),
        (("--data", "labels.tsv", "--out", "o", "--epochs", "0"), "expected epochs above 0"),
        (("--data", "labels.tsv", "--out", "o", "--batch", "1"), "expected batch at least 2"),
        (("--data", "labels.tsv", "--out", "o", "--rank", "0"), "expected rank at least 1"),
        (("--data", "labels.tsv", "--out", "o", "--anchor", "-1"), "expected anchor at least 0"),
        (("--data", "labels.tsv", "--out", "o", "--others", "absent"), "expected a table that ends in"),
        (("--data", "images", "--out", "o"), "expected one subfolder of pictures per class"),
        (("--data", "labels.tsv", "--out", "o", "--model", "nothing-there"), "no model 'nothing-there'"),
        (("--data", "labels.tsv", "--out", "o", "--label-column", "no"), "expected a column no, text or caption"),
        (("--data", "labels.tsv", "--out", "o", "--resume"), "there is no checkpoint in"),
    ],
)
def test_bad_input_is_refused(arguments: tuple[str, ...], message: str, table: Path, run: Run) -> None:
    if "--resume" in arguments:
        arguments, message = (*arguments, "--val", "absent.tsv"), "absent.tsv cannot be read"
    refused = run("finetune", *arguments)
    assert refused.code == 2
    assert message in refused.err
    assert "Traceback" not in refused.err


def test_a_killed_run_goes_on(table: Path, base: Path) -> None:
    command = [sys.executable, "-m", "seesay", "finetune", "--data", str(table), *SHORT, "--patience", "9999"]
    command[command.index("--epochs") + 1] = "3000"
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while process.poll() is None and not list(Path("out/checkpoints").glob("step-*.pt")):
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    second = subprocess.Popen([*command, "--resume"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    seen = ""
    assert second.stderr is not None
    while "step" not in seen or "top-1" not in seen:
        line = second.stderr.readline()
        assert line, seen
        seen += line
    second.send_signal(signal.SIGINT)
    out, err = second.communicate(timeout=60)
    assert second.returncode == 130, err
    assert "going on after step" in seen
    assert "the same with --resume goes on" in out
