"""docs/generation.md: its Python runs as written, on whole pipelines, and its diagrams are those of their script."""

import ast
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from tests.conftest import PHOTOS
from tests.generation.conftest import Generators

PROJECT = PHOTOS.parent.parent
PAGE = PROJECT / "docs" / "generation.md"


def code_with(words: str) -> str:
    """The one block of Python that holds these words."""
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    (block,) = [each for each in blocks if words in each]
    return str(block)


def test_the_parts_of_img2img_are_those_shown(generators: Generators, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(generators["stable_diffusion_1"].folder, tmp_path / "my-stable-diffusion-1")
    monkeypatch.chdir(tmp_path)
    lines = code_with("StableDiffusionImg2ImgPipeline").splitlines()
    typed = [line.removeprefix(">>> ") for line in lines if line.startswith(">>> ")]
    shown = ast.literal_eval("".join(line for line in lines if not line.startswith(">>> ")))
    names: dict[str, object] = {}
    exec("\n".join(typed[:-1]), names)
    assert eval(typed[-1], names) == shown


def test_the_tensors_paint_as_written(generators: Generators, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(generators["stable_diffusion_xl"].folder, tmp_path / "my-stable-diffusion-xl")
    monkeypatch.chdir(tmp_path)
    exec(code_with("import StableDiffusionXLPipeline"), {})
    with Image.open("cat.png") as picture:
        assert picture.size == (16, 16)


def test_the_diagrams_are_the_scripts(tmp_path: Path) -> None:
    (tmp_path / "docs" / "images").mkdir(parents=True)
    script = shutil.copytree(PROJECT / "scripts", tmp_path / "scripts") / "generation_diagrams"
    subprocess.run([sys.executable, script], check=True)
    drawn = sorted((tmp_path / "docs" / "images").iterdir())
    assert len(drawn) == 2
    for file in drawn:
        assert file.read_bytes() == (PROJECT / "docs" / "images" / file.name).read_bytes()
        assert f"images/{file.name}" in PAGE.read_text(encoding="utf-8")
