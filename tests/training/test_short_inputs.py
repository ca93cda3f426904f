"""Short inputs: dropped patches, other sizes of pictures, shorter texts; held against OpenCLIP, timm and slow arithmetic."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import seesay
from seesay.checkpoints.overrides import Overrides
from seesay.checkpoints.reader import open_checkpoint
from seesay.errors import InputError
from seesay.models.families.vit import tower as vit_tower
from seesay.models.layers.patch_dropout import kept_patches, take_tokens
from seesay.models.layers.positions import resize_grid, resize_line
from seesay.tokenizers import SPECS, Tokenizer, vocabulary
from seesay.training.data.short_texts import kept_places, short_ids
from seesay.training.run.checkpoints import CheckpointFolder
from seesay.training.setup import set_up
from seesay.training.trainer import Trainer, train
from tests.parity.test_checkpoints import DATA
from tests.training.conftest import TOWERS, Make
from tests.training.test_trainer import Records, Stop, losses

STORED = json.loads((DATA / "short_inputs.json").read_text(encoding="utf-8"))
TRANSFORMER = """
[model.text.config]
kind = "clip-text"
width = 24
depth = 1
heads = 2
mlp_width = 48
vocabulary = 49408
positions = 12
activation = "gelu"
layer_norm_eps = 1e-5
causal = true
pooling = "eos"
eos_id = 49407
"""
WITH_TEXTS = TOWERS[: TOWERS.index("[model.text.config]")] + TRANSFORMER
RESNET = TOWERS[: TOWERS.index("[model.image.config]")] + (
    '[model.image.config]\nkind = "modified-resnet"\nimage_px = 32\nwidth = 4\nstages = [1, 1, 1, 1]\nheads = 2\n'
    + TOWERS[TOWERS.index("[model.text.config]") :]
)


def test_as_many_patches_stay_as_in_open_clip() -> None:
    for share, counts in STORED["counts"].items():
        found = [kept_patches(1, patches, float(share), torch.device("cpu")).shape[1] for patches in (4, 9, 49, 196, 256)]
        assert found == counts, share


def test_each_picture_keeps_patches_of_its_own_and_every_patch_has_its_chance() -> None:
    torch.manual_seed(0)
    kept = kept_patches(2000, 10, 0.5, torch.device("cpu"))
    assert torch.equal(kept, kept.sort(dim=1).values)
    assert all(len(set(row)) == 5 for row in kept.tolist())
    assert len({tuple(row) for row in kept.tolist()}) > 200  # of 252
    assert np.bincount(kept.flatten(), minlength=10) == pytest.approx(np.full(10, 1000), abs=110)


def test_tokens_are_taken_as_by_a_loop() -> None:
    x, numbers = torch.randn(3, 7, 4), torch.tensor([[0, 2, 6], [1, 2, 3], [0, 5, 6]])
    taken = take_tokens(x, numbers)
    for row in range(3):
        for place in range(3):
            assert torch.equal(taken[row, place], x[row, numbers[row, place]])


def test_a_tower_with_dropped_patches_is_open_clips(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same weights, pixels and patches as in OpenCLIP's PatchDropout, which keeps them in another order."""
    stored = STORED["tower"]
    numbers = torch.tensor(stored["kept"])[:, 1:].sort(dim=1).values - 1  # without the class token
    monkeypatch.setattr(vit_tower, "kept_patches", lambda *_: numbers)
    tower: Any = open_checkpoint(DATA / "open-clip-native").model().image
    tower.patch_dropout = 0.5
    pixels = torch.randn(3, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    result = tower.train()(pixels)
    result.square().sum().backward()
    expected, gradient = torch.tensor(stored["result"]), torch.tensor(stored["gradient"])
    torch.testing.assert_close(result, expected, rtol=0, atol=1e-6 * float(expected.abs().max()))
    found = tower.position_embedding.grad[:, :4]
    torch.testing.assert_close(found, gradient, rtol=0, atol=1e-5 * float(gradient.abs().max()))


@pytest.mark.parametrize(("kind", "resize"), [("grid", resize_grid), ("square", resize_grid), ("line", resize_line)])
def test_positions_for_other_sizes_are_those_of_open_clip_and_timm(kind: str, resize: Any) -> None:
    table = torch.tensor(STORED["tables"]["given"][kind])
    for size, expected in STORED["tables"][kind].items():
        torch.testing.assert_close(resize(table, int(size)), torch.tensor(expected), rtol=0, atol=1e-6)


def test_siglip_opens_at_another_resolution() -> None:
    table = open_checkpoint(DATA / "hf-siglip-5").state()["image.position_embedding"]
    checkpoint = open_checkpoint(DATA / "hf-siglip-5", Overrides(image_px=48))
    assert torch.equal(checkpoint.state()["image.position_embedding"], resize_grid(table, 6))
    assert checkpoint.model().image(torch.zeros(1, 3, 48, 48)).shape[0] == 1


def test_a_short_run_goes_on_at_full_size(world: Path, recipe: Make, records: Records) -> None:
    short = recipe("steps=30", "out=short", "model.image.image_px=16", "model.text.length=5", towers=WITH_TEXTS)
    result = train(short)
    assert result.model is not None
    model = seesay.load(result.model)
    assert (model.config.image.image_px, model.config.image_spec.size_px) == (16, 16)  # type: ignore[union-attr]
    assert model.tokenizer.spec.context_length == 5
    assert model.tokenizer(["a red square indeed"]).ids.shape == (1, 5)

    start = '[model]\nstart = "short"\n[model.image]\nimage_px = 32\n[model.text]\nlength = 12\n'
    full = recipe("steps=12", "out=full", towers=start)
    parts = set_up(replace(full, out="unused"))
    trained = CheckpointFolder(world / "short" / "checkpoints", 2).last()["weights"]  # type: ignore[index]
    for name, tensor in parts.clip.state_dict().items():
        expected = resize_grid(trained[name], 4) if name == "image.position_embedding" else trained[name]
        assert torch.equal(tensor, expected), name
    assert train(full).model is not None
    first = losses(records(world / "full"))[0]
    assert first < losses(records(world / "short"))[0] - 0.5  # it begins where the short run ended
    model = seesay.load(world / "full")
    assert model.encode_pixels(np.zeros((1, 3, 32, 32), np.float32)).shape == (1, 24)
    assert model.tokenizer.spec.context_length == 12


def test_a_start_takes_another_size_with_a_new_projection_too(world: Path, recipe: Make) -> None:
    train(recipe("steps=1", "out=short", "model.image.image_px=16"))
    start = '[model]\nstart = "short"\ndim = 20\n[model.image]\nprojection = "linear"\n[model.text]\nprojection = "linear"\n'
    parts = set_up(recipe("model.image.image_px=40", "out=full", towers=start))
    assert parts.clip.image(torch.zeros(2, 3, 40, 40)).shape == (2, 20)
    assert parts.base is None  # an adapter would not fit the start
    trained = CheckpointFolder(world / "short" / "checkpoints", 2).last()["weights"]  # type: ignore[index]
    assert torch.equal(parts.clip.state_dict()["image.blocks.0.mlp.up.weight"], trained["image.blocks.0.mlp.up.weight"])


@pytest.mark.parametrize(
    ("towers", "setting", "message"),
    [
        (RESNET, "model.image.patch_dropout=0.5", "patch_dropout: expected a tower of patches .*, got modified-resnet"),
        (WITH_TEXTS, "model.image.image_px=20", "image_px: expected a multiple of 8, .*, got 20; the nearest is 16"),
        (WITH_TEXTS, "model.text.length=13", r"length: expected at most 12, .*\(clip-text\), got 13"),
        (WITH_TEXTS.replace('"eos"', '"last"'), "model.text.length=6", "length: expected 12, the length to which all texts"),
        ('[model]\nstart = "bundled"\n', "model.image.image_px=64", "image_px: expected .*, the only size of this tower"),
    ],
)
def test_sizes_that_a_tower_does_not_take_are_refused(recipe: Make, towers: str, setting: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        set_up(recipe(setting, towers=towers))


@pytest.mark.parametrize("setting", ["patch_dropout=1.0", "patch_dropout=-0.1", "image_px=0"])
def test_values_out_of_bounds_are_refused(recipe: Make, setting: str) -> None:
    with pytest.raises(InputError, match=f"model.image.{setting.split('=')[0]}: expected at least"):
        recipe(f"model.image.{setting}")


TEXT = "two brown dogs run over a wide green field towards the sea"


@pytest.mark.parametrize("how", ["random", "block"])
def test_long_texts_keep_tokens_in_their_order(how: Any) -> None:
    spec = replace(SPECS["clip"], context_length=7)
    tokenizer = Tokenizer(vocabulary("clip"), spec)
    every = [number for word in tokenizer.words(TEXT) for number in word]
    first = short_ids(tokenizer, [TEXT, "a dog"], "truncation", 0, 0)
    drawn = {tuple(short_ids(tokenizer, [TEXT, "a dog"], how, 0, step)[0]) for step in range(40)}
    assert len(drawn) > 5
    for row in drawn:
        assert (row[0], row[-1]) == (first[0, 0], first[0, -1])  # beginning and end of text
        places = [every.index(number) for number in row[1:-1]]
        assert places == (sorted(places) if how == "random" else list(range(places[0], places[0] + 5)))
    again = short_ids(tokenizer, ["a cat", "a dog", TEXT], how, 0, 3)
    assert np.array_equal(again[2], short_ids(tokenizer, [TEXT], how, 0, 3)[0])  # whatever else is in the batch
    assert np.array_equal(again[1], first[1])  # what fits stays
    assert not np.array_equal(again[2], short_ids(tokenizer, [TEXT], how, 1, 3)[0])


def test_places_are_drawn_evenly() -> None:
    rng = np.random.default_rng(0)
    for how in ("random", "block"):
        seen = np.bincount(np.concatenate([kept_places(6, 3, how, rng) for _ in range(4000)]), minlength=6)  # type: ignore[arg-type]
        expected = np.full(6, 2000) if how == "random" else np.array([1000, 2000, 3000, 3000, 2000, 1000])
        assert seen == pytest.approx(expected, abs=150)
    assert kept_places(3, 3, "block", rng).tolist() == [0, 1, 2]


def test_what_a_step_drops_depends_on_seed_and_step_alone(world: Path, recipe: Make, records: Records) -> None:
    """A run that is resumed with torch's random state lost goes on as an unbroken one."""
    short = ("model.image.patch_dropout=0.5", "model.text.length=4", "model.text.shortening=block")
    sets = ("steps=8", "checkpoints.every=4", *short)
    train(recipe(*sets, "out=whole", towers=WITH_TEXTS))
    train(recipe(*sets, "out=broken", towers=WITH_TEXTS), observer=Stop(after=4))
    parts = set_up(recipe(*sets, "out=broken", towers=WITH_TEXTS), resume=True)
    torch.manual_seed(12345)
    Trainer(parts).run()
    assert losses(records(world / "broken")) == losses(records(world / "whole"))
    train(recipe(*sets, "out=other", "seed=1", towers=WITH_TEXTS))
    assert losses(records(world / "other")) != losses(records(world / "whole"))
