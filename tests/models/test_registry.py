"""The table of families, and a family from outside that works everywhere without an edit of the package."""

import ast
import json
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import seesay
from seesay.checkpoints.export import verify
from seesay.checkpoints.reader import open_checkpoint
from seesay.errors import InputError, ModelError
from seesay.models.clip import make_tower
from seesay.models.config import read_config
from seesay.models.registry import FAMILIES, Family, family_of, register
from seesay.models.size import operations, parameters
from seesay.system.schema import to_json
from seesay.training.recipe import read_recipe
from seesay.training.setup import set_up
from seesay.training.trainer import Trainer
from tests.architecture import imports, modules
from tests.models.toy import FAMILY
from tests.models.toy.config import ToyConfig

TOY = ToyConfig("toy", image_px=32, cells=4, width=24)
RECIPE = """
name = "toy"
steps = 3
out = "run"

[model]
dim = 16

[model.image]
recompute = true

[model.image.config]
kind = "toy"
image_px = 32
cells = 4
width = 24

[model.text.config]
kind = "cbow"
width = 24
vocabulary = 49408

[data]
batch = 4

[[data.sources]]
kind = "manifest"
path = "captions.tsv"

[optimizer]
learning_rate = 1e-3
"""


@pytest.fixture
def toy() -> Iterator[Family]:
    register(FAMILY)
    yield FAMILY
    del FAMILIES["toy"]


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "images").mkdir()
    rows = ["image\ttext"]
    for number, colour in enumerate(("red", "green", "blue", "yellow", "white", "black", "purple", "orange")):
        Image.new("RGB", (40, 40), colour).save(tmp_path / "images" / f"{number}.png")
        rows.append(f"{number}.png\ta {colour} square")
    (tmp_path / "captions.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    (tmp_path / "recipe.toml").write_text(RECIPE, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_family_from_outside_trains_exports_and_loads(toy: Family, world: Path) -> None:
    assert family_of(TOY) is toy
    parts = set_up(read_recipe(world / "recipe.toml"))
    hidden: Any = parts.clip.image.hidden
    before = hidden.layer.weight.detach().clone()
    Trainer(parts).run()
    assert not np.array_equal(before, hidden.layer.weight.detach())

    folder = world / "run" / "model"
    config = read_config(folder)
    assert config.image == TOY
    clip = open_checkpoint(folder).model()
    assert max(verify(clip, folder).values()) < 1e-5
    files = sorted((world / "images").iterdir())
    with_onnx, with_torch = seesay.load(folder), seesay.load(folder, engine="torch")
    np.testing.assert_allclose(with_onnx.encode_image(files), with_torch.encode_image(files), atol=1e-5)
    assert with_onnx.encode_dense(files[:2]).shape == (2, 1, 1, 16)
    assert [state.shape for state in with_torch.image_hidden_states(files[:2])] == [(2, 48)]
    assert parameters(TOY, 16) == sum(p.numel() for p in make_tower(TOY, 16).parameters())
    assert operations(TOY, 16) > 0


def test_a_frozen_tower_from_outside_is_computed_once(toy: Family, world: Path) -> None:
    parts = set_up(read_recipe(world / "recipe.toml", ("model.image.unlocked_groups=1",)))
    assert parts.images.freezable
    hidden: Any = parts.clip.image.hidden
    before = hidden.layer.weight.detach().clone()
    Trainer(parts).run()
    assert (world / "run" / "features" / "pictures.npz").is_file()
    assert np.array_equal(before, hidden.layer.weight.detach())


def test_its_configuration_is_read_as_strictly_as_any(toy: Family, tmp_path: Path) -> None:
    config = to_json(seesay.fake_model().config)
    for image, message in (
        ({"kind": "toy", "image_px": 32, "cells": 0, "width": 8}, "image.cells: expected at least 1, got 0"),
        ({"kind": "toy", "image_px": 32, "cells": 2, "wide": 8}, "image.wide: unknown key; did you mean 'width'"),
        ({"kind": "bert"}, "image.kind: expected one of 'vit', .*'toy', got 'bert'"),
    ):
        (tmp_path / "config.json").write_text(json.dumps(config | {"image": image}), encoding="utf-8")
        with pytest.raises(ModelError, match=message):
            read_config(tmp_path)


def test_a_kind_belongs_to_one_family(toy: Family) -> None:
    with pytest.raises(InputError, match="a family of the kind 'toy' is registered already"):
        register(FAMILY)


@pytest.mark.parametrize("kind", FAMILIES)
def test_a_family_is_a_folder_with_the_same_files(kind: str) -> None:
    family = FAMILIES[kind]
    for name, functions in (("graph", ("add_tower",)), ("init", ("initialise",)), ("size", ("parameters", "operations"))):
        module = import_module(f"{family.package}.{name}")
        assert all(callable(getattr(module, function)) for function in functions)
    assert hasattr(import_module(f"{family.package}.tower"), family.tower)


# Rules that make a family's configuration from another format's, and a fake model.
MAKERS = (
    "checkpoints.diffusion.",  # text encoders of image generators, which have layouts of their own
    "checkpoints.formats.",
    "checkpoints.graphs.prepare",
    "checkpoints.resolve",
    "checkpoints.shapes",
    "testing",
    "models.registry",
    "models.families.",
)


def test_only_the_registry_knows_the_families() -> None:
    for name, file in modules().items():
        if not name.startswith(MAKERS):
            assert not [other for other in imports(file) if other.startswith("models.families.")], name


def test_nothing_else_branches_on_kinds() -> None:
    """`kind == "vit"` would be a way around the registry."""
    for name, file in modules().items():
        if name.startswith(MAKERS):
            continue
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Compare):
                compared = [side.value for side in (node.left, *node.comparators) if isinstance(side, ast.Constant)]
                assert not set(map(str, compared)) & FAMILIES.keys(), f"{name}:{node.lineno}"
