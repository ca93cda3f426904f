"""A small world to learn: squares and stripes in eight colours, each with a caption in two languages."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from seesay.training.recipe import Recipe, read_recipe

COLOURS = {
    "red": ("红色", (220, 20, 20)),
    "green": ("绿色", (20, 200, 20)),
    "blue": ("蓝色", (20, 20, 220)),
    "yellow": ("黄色", (230, 220, 20)),
    "white": ("白色", (240, 240, 240)),
    "black": ("黑色", (10, 10, 10)),
    "purple": ("紫色", (140, 20, 160)),
    "orange": ("橙色", (240, 130, 10)),
}
SHAPES = {"square": "方块", "stripes": "条纹"}
TOWERS = """
[model]
dim = 24

[model.image.config]
kind = "vit"
image_px = 32
patch_px = 8
width = 32
depth = 2
heads = 2
mlp_width = 64
activation = "gelu"
layer_norm_eps = 1e-5

[model.text.config]
kind = "cbow"
width = 24
vocabulary = 49408
"""
REST = """
name = "world"
steps = 40
log_every = 1
out = "run"
{towers}
[data]
batch = 16

[[data.sources]]
kind = "manifest"
path = "captions.tsv"
split = "train"
languages = {{ en = 1.0 }}

[optimizer]
learning_rate = 3e-3
warmup = 5
"""


@pytest.fixture(autouse=True)
def _own_threads() -> Iterator[None]:
    """A recipe's `threads` are torch's from then on; a later run would have others than a process of its own."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with captions.tsv (train and val) and images/; it is also where the test runs."""
    random = np.random.default_rng(0)
    (tmp_path / "images").mkdir()
    rows = ["image\tsplit\tlang\ttext\tlabel"]
    for split, count in (("train", 5), ("val", 1)):
        for colour, (in_chinese, levels) in COLOURS.items():
            for shape, shape_in_chinese in SHAPES.items():
                for number in range(count):
                    name = f"{split}-{colour}-{shape}-{number}.png"
                    _draw(shape, levels, random).save(tmp_path / "images" / name)
                    rows.append(f"{name}\t{split}\ten\ta {colour} {shape}\t{shape}")
                    rows.append(f"{name}\t{split}\tzh\t{in_chinese}{shape_in_chinese}\t{shape}")
    (tmp_path / "captions.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _draw(shape: str, levels: tuple[int, int, int], random: np.random.Generator) -> Image.Image:
    picture = np.full((40, 48, 3), 128, dtype=np.uint8)
    if shape == "square":
        top, left = random.integers(2, 16, 2)
        picture[top : top + 22, left : left + 22] = levels
    else:
        picture[:, :: int(random.integers(3, 6))] = levels
        picture[:, 1 :: int(random.integers(3, 6))] = levels
    return Image.fromarray((picture + random.integers(0, 10, picture.shape)).astype(np.uint8))


Make = Callable[..., Recipe]


@pytest.fixture
def recipe(world: Path) -> Make:
    """recipe("steps=3", towers=...) of that world."""

    def make(*sets: str, towers: str = TOWERS, more: str = "") -> Recipe:
        (world / "recipe.toml").write_text(REST.format(towers=towers) + more, encoding="utf-8")
        return read_recipe(world / "recipe.toml", sets)

    return make


VALIDATION = """
[validation]
data = "captions.tsv"
split = "val"
language = "en"
every = 20
"""


@pytest.fixture
def records() -> Callable[[Path], list[dict[str, Any]]]:
    from seesay.training.run.log import read_log

    return lambda folder: read_log(folder / "log.jsonl")
