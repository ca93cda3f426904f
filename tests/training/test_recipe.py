"""Recipes are read strictly: all faults together, near names suggested, nothing ignored."""

from pathlib import Path

import pytest

from seesay.errors import InputError
from seesay.training.recipe import Optimizer, read_recipe
from tests.training.conftest import Make


def test_all_faults_of_a_recipe_are_told_at_once(world: Path, recipe: Make) -> None:
    recipe()
    text = (world / "recipe.toml").read_text()
    text = text.replace("learning_rate = 3e-3", "learning_rat = 3e-3").replace("batch = 16", 'batch = "many"')
    text = text.replace("[optimizer]", "[optimizer]\nwarm_up = 3").replace('kind = "cbow"', 'kind = "bow"')
    (world / "bad.toml").write_text(text)
    with pytest.raises(InputError) as error:
        read_recipe(world / "bad.toml")
    message = str(error.value)
    assert "optimizer.learning_rat: unknown key; did you mean 'learning_rate'?" in message
    assert "optimizer.learning_rate: missing" in message
    assert "optimizer.warm_up: unknown key; did you mean 'warmup'?" in message
    assert "data.batch: expected a whole number, got 'many'" in message
    assert "model.text.config.kind: expected one of" in message


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("data.batch=1", "data.batch: expected at least 2, got 1"),
        ("data.parts=3", "data: expected a batch that can be cut into 3 equal parts, got 16"),
        ("data.sources=[]", "expected at least one source, got none"),
        ("steps=0", "steps: expected at least 1, got 0"),
        ("checkpoints.keep=0", "checkpoints.keep: expected at least 1, got 0"),
        ("log_every=0", "log_every: expected at least 1, got 0"),
        ("optimizer.learning_rate=-1", "optimizer.learning_rate: expected above 0, got -1"),
        ("optimizer.learning_rate=nan", "optimizer.learning_rate: expected above 0, got nan"),
        ("optimizer.betas=[0.9, 1.5]", r"optimizer.betas\[1\]: expected at least 0 and below 1, got 1.5"),
        ("loss.temperature=0", "loss.temperature: expected above 0, got 0"),
        ("loss.temperature=0.005", r"loss: expected a temperature from 0.01 \(1 / max_scale\) to 1, got 0.005"),
        ("model.image.config.heads=3", "model.image.config: expected heads that divide the width of 32, got 3"),
        ("model.image.config.patch_px=64", "model.image.config: expected a patch_px within image_px, got 64 and 32"),
        ("model.image.config.depth=0", "model.image.config.depth: expected at least 1, got 0"),
        ('model.image.start="bundled"', "only one of start, architecture and config, got start and config"),
        ("model.image.patch_dropout=1.0", "model.image.patch_dropout: expected at least 0 and below 1, got 1.0"),
        ("model.text.unlocked_groups=-1", "model.text.unlocked_groups: expected at least 0, got -1"),
        ("data.augment.crop_scale=[0.0, 1.0]", "crop_scale"),
        ("optimizer", "--set takes key=value"),
        ("data.sources.4.path=x", "expected a number from 0 to 0, got '4'"),
        ("data.batch.x.y=1", "there is nothing inside 16"),
    ],
)
def test_values_out_of_place_are_told(recipe: Make, setting: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        recipe(setting)


def test_values_out_of_place_are_told_with_all_else(recipe: Make) -> None:
    with pytest.raises(InputError) as error:
        recipe("steps=-5", "optimizer.lr=1", "data.batch=many", "model.dim=0")
    for text in (
        "steps: expected at least 1, got -5",
        "did you mean 'learning_rate'?",
        "data.batch: expected",
        "model.dim: expec",
    ):
        assert text in str(error.value)


def test_neither_epochs_nor_steps_is_told(world: Path, recipe: Make) -> None:
    recipe()
    text = (world / "recipe.toml").read_text().replace("steps = 40\n", "")
    (world / "recipe.toml").write_text(text)
    with pytest.raises(InputError, match="expected epochs or steps, got neither"):
        read_recipe(world / "recipe.toml")


def test_bounds_hold_for_recipes_made_in_python_too() -> None:
    with pytest.raises(InputError, match="expected learning_rate above 0, got 0"):
        Optimizer(learning_rate=0.0)


def test_set_changes_adds_and_takes_text_as_it_stands(recipe: Make) -> None:
    changed = recipe(
        "data.batch=8", "optimizer.ema=0.9", "name=other", "data.sources.0.split=val", "model.languages=['en','zh']"
    )
    assert (changed.data.batch, changed.optimizer.ema, changed.name) == (8, 0.9, "other")
    assert changed.data.sources[0].split == "val"  # type: ignore[union-attr]
    assert changed.model.languages == ("en", "zh")


def test_a_file_that_is_no_recipe_says_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read: No such file"):
        read_recipe(tmp_path / "absent.toml")
    (tmp_path / "a.toml").write_text("name = ")
    with pytest.raises(InputError, match="is not TOML"):
        read_recipe(tmp_path / "a.toml")
