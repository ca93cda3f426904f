"""Anchors of pictures in a recipe: pictures are drawn to their vectors, bad ones alone are left out, and bad files say why."""

from pathlib import Path

import numpy as np
import pytest
import torch

from seesay.errors import InputError
from seesay.training.parts import RunParts
from seesay.training.setup import set_up
from seesay.training.trainer import Trainer
from tests.training.conftest import Make

ANCHORED = '[[loss.anchors]]\nkind = "pictures"\npath = "places.npz"\nweight = 3.0\nbatch = 4\n'
PICTURES = ("images/val-red-square-0.png", "images/val-blue-stripes-0.png", "images/val-white-square-0.png")


def write_places(world: Path, paths: tuple[str, ...], texts: tuple[str, ...] = ("", "", "", "")) -> np.ndarray:
    """The vectors of the paths: axes of the space."""
    targets = np.eye(24, dtype=np.float32)[: len(paths)]
    np.savez(world / "places.npz", vectors=2 * targets, path=np.array(paths), text=np.array(texts[: len(paths)]))
    return targets


def cosines(parts: RunParts, targets: np.ndarray) -> np.ndarray:
    values = [parts.images.prepare(path, None) for path in PICTURES]
    with torch.no_grad():
        vectors = torch.nn.functional.normalize(parts.images.embed(values), dim=1)
    return np.asarray((vectors.numpy() * targets[: len(PICTURES)]).sum(axis=1))


def test_pictures_are_drawn_to_their_places(world: Path, recipe: Make) -> None:
    targets = write_places(world, PICTURES)
    parts = set_up(recipe("steps=60", "optimizer.learning_rate=1e-2", more=ANCHORED))
    before = cosines(parts, targets)
    Trainer(parts).run()
    after = cosines(parts, targets)
    assert after.min() > 0.8
    assert (after > before).all()


def test_stored_features_give_the_same_step(world: Path, recipe: Make) -> None:
    """With a frozen tower the pictures are encoded once, also those that only anchor."""
    write_places(world, PICTURES)
    parts = set_up(recipe("steps=2", "model.image.unlocked_groups=1", more=ANCHORED))
    Trainer(parts).run()
    assert parts.images.frozen is not None
    assert parts.images.frozen.rows.keys() >= set(PICTURES)


def test_rows_of_texts_anchor_no_pictures(world: Path, recipe: Make) -> None:
    write_places(world, (*PICTURES, "texts.txt"), ("", "", "", "a line of texts.txt"))
    parts = set_up(recipe("steps=1", more=ANCHORED))
    assert sorted(parts.text_targets[0].at(0)[0]) == sorted(PICTURES)


def test_a_bad_picture_is_left_out_alone(world: Path, recipe: Make) -> None:
    (world / "bad.png").write_bytes(b"no picture")
    targets = write_places(world, (*PICTURES, "bad.png"))
    parts = set_up(recipe("steps=60", "optimizer.learning_rate=1e-2", more=ANCHORED))
    Trainer(parts).run()
    assert cosines(parts, targets).min() > 0.8
    assert "bad.png" in parts.state.skipped.examples


def test_no_readable_picture_is_an_error(world: Path, recipe: Make) -> None:
    write_places(world, ("absent.png",))
    with pytest.raises(InputError, match=r"none of 1 pictures of a step can be read, such as absent\.png"):
        Trainer(set_up(recipe("steps=1", more=ANCHORED))).run()


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"vectors": np.ones((1, 24)), "text": np.array(["a"])}, "expected a .npz with path"),
        (
            {"vectors": np.ones((1, 24)), "text": np.array(["a"]), "path": np.array([""])},
            "has no pictures; write it with seesay embed FOLDER -o places.npz",
        ),
        (
            {"vectors": np.ones((1, 7)), "text": np.array([""]), "path": np.array(["a.png"])},
            "expected vectors of 24 dimensions, one for each path",
        ),
    ],
)
def test_places_that_cannot_be_used_say_why(world: Path, recipe: Make, arrays: dict[str, np.ndarray], message: str) -> None:
    np.savez(world / "places.npz", **arrays)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=message):
        set_up(recipe(more=ANCHORED))
