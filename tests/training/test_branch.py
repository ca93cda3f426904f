"""Towers that train a branch on views with stored features of the frozen part; texts with target vectors."""

import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from seesay.errors import InputError
from seesay.models.families.efficientnet_lite.config import EfficientNetLiteConfig
from seesay.models.families.efficientnet_lite.tower import EfficientNetLite
from seesay.models.initialise import initialise
from seesay.training.setup import set_up
from seesay.training.trainer import Trainer, train
from tests.training.conftest import TOWERS, VALIDATION, Make

BRANCH = """
[model]
dim = 24

[model.image]
unlocked_groups = 3

[model.image.config]
kind = "efficientnet-lite"
image_px = 48
stages = [[1, 3, 1], [2, 3, 2], [1, 3, 1]]
widths = [8, 8, 16, 24, 48]
classes = 7
head = "conse"
branch = 2

[model.text.config]
kind = "cbow"
width = 24
vocabulary = 49408
"""
VIEWS = """
[data.augment]
crop_scale = [0.5, 1.0]
flip = true
"""


def test_a_branch_learns_from_views_made_once_and_leaves_the_classes_alone(world: Path, recipe: Make) -> None:
    run_recipe = recipe("data.views=3", "checkpoints.every=15", towers=BRANCH, more=VIEWS + VALIDATION)
    parts = set_up(run_recipe)
    before = {name: tensor.clone() for name, tensor in parts.clip.state_dict().items()}
    result = Trainer(parts).run()
    assert result.best is not None
    assert {file.name for file in (world / "run" / "features").iterdir()} == {"pictures.npz", "validation-pictures.npz"}
    after = parts.clip.state_dict()
    changed = {
        name.split(".")[1] for name in before if name.startswith("image.") and not torch.equal(before[name], after[name])
    }
    assert changed == {"branch", "projection"}
    # A resumed run reuses the stored features, though the branch was trained since.
    stored_at = (world / "run" / "features" / "pictures.npz").stat().st_mtime_ns
    on = recipe("data.views=3", "checkpoints.every=15", "steps=42", towers=BRANCH, more=VIEWS + VALIDATION)
    train(on, resume=True)
    assert (world / "run" / "features" / "pictures.npz").stat().st_mtime_ns == stored_at
    # Stored features give what the image itself gives, up to their 16 bits.
    parts.clip.eval()
    file = world / "images" / "train-red-square-0.png"
    stored = parts.images.prepare(file, np.random.default_rng(5))
    view = int(np.random.default_rng(5).integers(3))
    seed = (view, zlib.crc32(str(file).encode()))
    levels = parts.images.levels(file, np.random.default_rng(seed))
    with torch.inference_mode():
        one, other = (torch.nn.functional.normalize(parts.images.embed([value]), dim=1) for value in (stored, levels))
    assert stored.dtype == np.float16
    assert float((one * other).sum()) > 0.9999


def test_of_a_projection_only_the_dimensions_that_may_learn_do(world: Path, recipe: Make) -> None:
    run_recipe = recipe("model.image.unlocked_dims=10", "steps=12", "checkpoints.every=6", towers=BRANCH, more="")
    parts = set_up(run_recipe)
    before = parts.clip.image.projection.weight.detach().clone()
    Trainer(parts).run()
    train(recipe("model.image.unlocked_dims=10", "steps=18", towers=BRANCH, more=""), resume=True)
    after = load_file(world / "run" / "model" / "model.safetensors")["image.projection.weight"]
    assert np.array_equal(after[10:], before[10:].numpy())
    assert (after[:10] != before[:10].numpy()).any(axis=1).all()


@pytest.mark.parametrize(
    ("dims", "towers", "message"),
    [
        (25, BRANCH, "model.image.unlocked_dims: expected at most the space's 24, got 25"),
        (
            5,
            BRANCH.replace('head = "conse"', 'head = "mlp"').replace("classes = 7", "classes = 0").replace("branch = 2", ""),
            "linear",
        ),
    ],
)
def test_dimensions_that_cannot_be_locked_say_why(recipe: Make, dims: int, towers: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        set_up(recipe(f"model.image.unlocked_dims={dims}", towers=towers))


def test_a_new_projection_takes_the_way_through_the_branch(world: Path, recipe: Make) -> None:
    config = EfficientNetLiteConfig(
        "efficientnet-lite", 48, ((1, 3, 1), (2, 3, 2), (1, 3, 1)), (8, 8, 16, 24, 48), 7, "conse", branch=2
    )
    torch.manual_seed(0)
    branched = EfficientNetLite(config, 24).eval()
    initialise(branched)
    plain = EfficientNetLite(replace(config, head="none", classes=0, branch=0), 48).eval()
    missing, unexpected = plain.load_state_dict(branched.body_state(), strict=False)
    assert not missing
    assert not unexpected
    pixels = torch.randn(2, 3, 48, 48)
    torch.testing.assert_close(plain(pixels), branched.features(pixels)[:, :48], rtol=0, atol=1e-6)


def test_texts_are_drawn_to_their_places(world: Path, recipe: Make) -> None:
    targets = np.eye(24, dtype=np.float32)[:3]
    np.savez(world / "places.npz", vectors=2 * targets, text=np.array(["one", "two", "three"]))
    run_recipe = recipe(
        "steps=60", "optimizer.learning_rate=1e-2", towers=TOWERS, more='[[loss.anchors]]\npath = "places.npz"\nweight = 3.0\n'
    )
    parts = set_up(run_recipe)
    first, last = [], []
    for step in range(6):
        texts, vectors = parts.text_targets[0].at(step)
        assert sorted(texts) == ["one", "three", "two"]  # an epoch is a step here
        assert {text: int(vector.argmax()) for text, vector in zip(texts, vectors, strict=True)} == {
            "one": 0,
            "two": 1,
            "three": 2,
        }
        (first if step < 3 else last).append(texts)
    assert first != last
    Trainer(parts).run()
    vectors_now = torch.nn.functional.normalize(parts.texts.embed(["one", "two", "three"]), dim=1)
    assert float((vectors_now.detach() * torch.from_numpy(targets)).sum(1).min()) > 0.8


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"vectors": np.ones((2, 24))}, "expected a .npz with text"),
        ({"vectors": np.ones((2, 7)), "text": np.array(["a", "b"])}, "expected vectors of 24 dimensions"),
        ({"vectors": np.ones((2, 24)), "text": np.array(["", ""])}, "has no texts"),
        ({"vectors": np.zeros((2, 24)), "text": np.array(["a", "b"])}, "vectors of no length"),
    ],
)
def test_places_that_cannot_be_used_say_why(world: Path, recipe: Make, arrays: dict[str, np.ndarray], message: str) -> None:
    np.savez(world / "places.npz", **arrays)
    with pytest.raises(InputError, match=message):
        set_up(recipe(towers=TOWERS, more='[[loss.anchors]]\npath = "places.npz"\n'))


def test_places_that_are_absent_are_named(recipe: Make) -> None:
    with pytest.raises(InputError, match=r"absent\.npz cannot be read"):
        set_up(recipe(towers=TOWERS, more='[[loss.anchors]]\npath = "absent.npz"\n'))
