"""`seesay plan`: the fixed command line, what it prints, and what it refuses."""

import json
import subprocess
import sys

import pytest

from seesay.training.plan import machine
from tests.cli.conftest import Run

FIXED = ("plan", "--pairs", "400M", "--model", "ViT-B-32", "--gpus", "a100:256", "--epochs", "32")


def test_a_plan_as_json_has_exactly_the_promised_keys(run: Run) -> None:
    found = json.loads(run(*FIXED, "--json").out)
    assert list(found) == ["flops", "days", "storage_bytes", "machines"]
    assert list(found["storage_bytes"]) == ["pictures", "shards", "embeddings", "index"]
    assert found["flops"] == pytest.approx(3 * 14.78e9 * 12.8e9, rel=1e-3)
    assert found["machines"] == 32
    assert 0.3 < found["days"] < 3  # OpenCLIP's run of half the accelerators took a day and a half


def test_a_plan_in_words(run: Run) -> None:
    found = run(*FIXED)
    assert found.code == 0
    for part in (
        "151 million weights",
        "400,000,000 pairs x 32 epochs",
        "256 x a100",
        "10 TB as tar files",
        "390,625 of 32,768",
    ):
        assert part in found.out
    assert "x 32 epochs, 4 times" in run(*FIXED, "--checkpointing").out
    assert "eight of ten" not in run(*FIXED, "--utilisation", "0.3").out


def test_what_does_not_fit_is_noted(run: Run) -> None:
    found = run("plan", "--pairs", "1M", "--model", "ViT-bigG-14", "--gpus", "t4:64", "--batch", "32")
    assert "do not fit into one t4" in found.err
    assert "a batch of 32 leaves some of the accelerators without work" in found.err


def test_the_table_of_published_runs_has_every_source(run: Run) -> None:
    out = run("plan", "--published").out
    for part in ("OpenAI ViT-L/14", "OpenCLIP ViT-bigG/14", "not published", "[1] Radford", "2303.15343"):
        assert part in out
    assert len(json.loads(run("plan", "--published", "--json").out)["runs"]) == 18


def test_this_machine(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    bare = machine.Machine("a processor", 2, 16.0, "cpu", 1e11, None)
    monkeypatch.setattr(machine, "measure", lambda: bare)
    out = run("plan", "--laptop").out
    assert "a processor, 2 cores, 16 GB" in out
    assert "torch is not installed" in out
    monkeypatch.setattr(machine, "measure", lambda: machine.Machine("a processor", 2, None, "cpu", 1e11, 5e10))
    found = json.loads(run("plan", "--laptop", "--pairs", "30k", "--model", "ViT-S-32", "--epochs", "3", "--json").out)
    assert found["jobs"][0] | {"flops": 0, "days": 0} == {
        "name": "your plan", "model": "ViT-S-32", "pairs": 30_000, "epochs": 3.0, "training": True, "flops": 0, "days": 0
    }  # fmt: skip
    assert "years" in run("plan", "--laptop").out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--pairs", "0"), "above 0, such as 30000, 12M or 2.3B, got '0'"),
        (("--pairs", "abc"), "got 'abc'"),
        (("--pairs", "-5"), "got '-5'"),
        (("--pairs", "1M", "--model", "ViT-B-33", "--gpus", "a100"), "near: ViT-B-32"),
        (("--pairs", "1M", "--model", "ViT-B-32", "--gpus", "a1000"), "All of them: v100"),
        (("--pairs", "1M", "--model", "ViT-B-32", "--gpus", "a100:x"), "got 'x'"),
        (("--pairs", "1M", "--model", "ViT-B-32", "--gpus", "a100", "--epochs", "0"), "expected epochs above 0"),
        (("--model", "ViT-B-32"), "a plan needs --pairs, --gpus"),
        (("--laptop", "--published"), "exclude each other"),
        (("--laptop", "--pairs", "5"), "together, or neither"),
        (("--laptop", "--pairs", "5", "--model", "ViT-B-33"), "near: ViT-B-32"),
    ],
)
def test_a_plan_that_cannot_be_is_refused(run: Run, arguments: tuple[str, ...], message: str) -> None:
    found = run("plan", *arguments)
    assert found.code == 2
    assert message in found.err
    assert "Traceback" not in found.err


def test_a_plan_loads_neither_torch_nor_onnxruntime() -> None:
    code = "import sys; from seesay.cli.main import _run; sys.argv = ['seesay', *sys.argv[1:]]; _run(); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code, *FIXED, "--json"], capture_output=True, text=True, check=True)
    assert not {"torch", "onnxruntime", "pyarrow"} & set(done.stdout.split())
