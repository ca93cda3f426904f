"""Greedy soups: a model that makes the mean less accurate stays out."""

import json
from pathlib import Path

import pytest
import torch

import seesay
from seesay.checkpoints.formats.seesay import write_folder
from seesay.checkpoints.reader import open_checkpoint
from seesay.evaluation.datasets import read_labels
from seesay.evaluation.runs import run_zero_shot
from seesay.evaluation.soup import greedy_soup
from seesay.tasks.prompts import TEMPLATES
from seesay.training.finetune.finetune import fine_tune
from tests.cli.conftest import Run, run
from tests.training.conftest import recipe, world
from tests.training.test_finetune import settings, table
from tests.training.test_finetuning_parts import base

__all__ = ["base", "recipe", "run", "table", "world"]  # fixtures


@pytest.fixture
def broken(base: Path) -> Path:
    """The base with weights that are mostly noise."""
    checkpoint = open_checkpoint(base)
    clip = checkpoint.model()
    torch.manual_seed(0)
    clip.load_state_dict({name: value + 3 * torch.randn_like(value) for name, value in clip.state_dict().items()}, assign=True)
    folder = base.parent / "broken"
    folder.mkdir()
    write_folder(clip, checkpoint.tokenizer(), folder, "float32")
    return folder


def test_what_makes_it_worse_stays_out(table: Path, base: Path, broken: Path, run: Run) -> None:
    outcome = fine_tune(settings(table, method="full", epochs=6.0, learning_rate=0.01))
    tuned = str(outcome.model)
    data = read_labels(outcome.tables.val, names=outcome.tables.names)
    soup = greedy_soup([str(broken), tuned, str(base)], data, TEMPLATES)
    assert soup.kept[0] == tuned
    assert str(broken) not in soup.kept
    assert soup.accuracy >= max(soup.alone.values())
    options = ("--greedy", outcome.tables.val, "--json")
    done = json.loads(run("models", "blend", broken, tuned, base, "soup", *options).out)
    assert [part["model"] for part in done["models"]] == list(soup.kept)
    assert done["accuracy"] == pytest.approx(soup.accuracy)
    assert run_zero_shot("soup", seesay.load("soup"), data, TEMPLATES).score.top1 == pytest.approx(soup.accuracy)
    shown = run("models", "blend", broken, tuned, "alone", "--greedy", outcome.tables.val).out
    assert "the mean of those with +" in shown
    refused = run("models", "blend", broken, tuned, "more", "--greedy", outcome.tables.val, "--weight", "0.5")
    assert (refused.code, "Choose one of --weight, --held-out and --greedy" in refused.err) == (2, True)
