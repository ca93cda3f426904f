"""The weight of a blend: the least that has most of the gain on held-out pictures."""

import json
from pathlib import Path

import pytest

import seesay
from seesay.checkpoints.blend import blend
from seesay.errors import InputError
from seesay.evaluation.blend_weight import SHARE, least_weight
from seesay.evaluation.datasets import Labels, read_labels
from seesay.evaluation.runs import run_zero_shot
from seesay.tasks.prompts import TEMPLATES
from seesay.training.finetune.finetune import fine_tune
from tests.cli.conftest import Run, run
from tests.training.conftest import recipe, world
from tests.training.test_finetune import settings, table
from tests.training.test_finetuning_parts import base

__all__ = ["base", "recipe", "run", "table", "world"]  # fixtures


def accuracy(data: Labels, weight: float, folder: str) -> float:
    model = blend(["base/model", "out/model"], [1 - weight, weight], Path(folder)).folder
    return run_zero_shot("blend", seesay.load(model), data, TEMPLATES).score.top1


def test_the_least_weight_with_most_of_the_gain(table: Path, base: Path, run: Run) -> None:
    outcome = fine_tune(settings(table, method="full", epochs=6.0, learning_rate=0.01, anchor=0.0))
    data = read_labels(outcome.tables.val, names=outcome.tables.names)
    found = least_weight("base/model", "out/model", data, TEMPLATES)
    first, last = found.accuracies[0], found.accuracies[1]
    need = first + SHARE * (last - first)
    assert last > first
    assert 0 < found.weight <= 1
    assert accuracy(data, found.weight, "at") >= need
    assert accuracy(data, round(found.weight - 0.1, 1), "below") < need
    done = json.loads(run("models", "blend", "base/model", "out/model", "made", "--held-out", outcome.tables.val, "--json").out)
    shares = {part["model"]: part["share"] for part in done["models"]}
    assert shares["out/model"] == pytest.approx(found.weight)
    assert {row["weight"]: row["accuracy"] for row in done["weights"]} == pytest.approx(found.accuracies, abs=1e-6)
    shown = run("models", "blend", "base/model", "out/model", "second", "--held-out", outcome.tables.val).out
    assert f"+ {found.weight:g}" in shown


def test_without_a_gain_there_is_no_weight(table: Path, base: Path, run: Run) -> None:
    data = read_labels(table)
    with pytest.raises(InputError, match="is no more accurate on these pictures than base/model"):
        least_weight("base/model", "base/model", data, TEMPLATES)
    for arguments, message in (
        (("base/model", "base/model", "base/model", "x", "--held-out", table), "--held-out is for two models, these are 3"),
        (("base/model", "base/model", "x", "--held-out", table, "--weight", "0.5"), "Choose one of --weight, --held-out"),
        (("base/model", "base/model", "x", "--held-out", "absent.tsv"), "absent.tsv cannot be read"),
        (("base/model", "base/model", "x", "--held-out", table), "is no more accurate on these pictures"),
    ):
        refused = run("models", "blend", *arguments)
        assert (refused.code, message in refused.err, "Traceback" in refused.err) == (2, True, False), refused.err
    assert not Path("x").exists()
