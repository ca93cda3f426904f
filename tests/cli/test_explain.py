"""explain: a drawing or numbers of why a text fits a picture."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import seesay.cli.explain
from seesay.errors import MissingCapability, TruncatedText
from seesay.model import Model
from tests.cli.conftest import Run


@pytest.fixture
def square(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fake: Model) -> Path:
    """A picture with a red square at the left, which the command looks at with a model that knows colours."""
    monkeypatch.setattr(seesay.cli.explain, "open_model", lambda name, **forced: fake)
    image = Image.new("RGB", (96, 48), "black")
    image.paste((255, 0, 0), (8, 8, 40, 40))
    image.save(tmp_path / "square.png")
    return tmp_path / "square.png"


@pytest.mark.parametrize("way", ["cells", "occlusion"])
def test_explain_draws_and_prints_numbers(run: Run, square: Path, tmp_path: Path, way: str) -> None:
    drawn = tmp_path / "out" / "heat.png"
    result = run("explain", square, "red", "-o", drawn, "--json", "--way", way)
    document = json.loads(result.out)
    assert (result.code, document["size"], document["way"]) == (0, [96, 48], way)
    heat = np.array(document["heat"])
    assert heat.shape == (32, 64)
    assert heat[:, :32].max() > heat[:, 40:].max()
    with Image.open(drawn) as image:
        levels = np.asarray(image.convert("L"), dtype=float)
        assert image.size == (96, 48)
    assert levels[16:32, 16:32].mean() > levels[16:32, 64:80].mean()  # what is hot is light


def test_explain_prints_the_cosine(run: Run, square: Path, tmp_path: Path) -> None:
    result = run("explain", square, "red", "-o", tmp_path / "heat.webp")
    assert "square.png: cosine " in result.out
    assert "with 'red'" in result.out
    assert "wrote " in result.err


def test_explain_with_what_cannot_be_used(run: Run, square: Path, tmp_path: Path) -> None:
    assert "TEXT is empty" in run("explain", square, "  ", "--json").err
    assert "-o FILE" in run("explain", square, "red").err
    gif = run("explain", square, "red", "-o", tmp_path / "heat.gif")
    assert (gif.code, "ends in .png" in gif.err) == (2, True)
    missing = run("explain", tmp_path / "none.png", "red", "--json")
    assert (missing.code, missing.out, "no such file" in missing.err) == (1, "", True)
    with pytest.warns(TruncatedText):
        assert run("explain", square, "red " * 40, "--json").code == 0


def test_explain_one_pixel(run: Run, square: Path, tmp_path: Path) -> None:
    Image.new("RGB", (1, 1), "red").save(tmp_path / "one.png")
    assert len(json.loads(run("explain", tmp_path / "one.png", "red", "--json").out)["heat"]) == 1


def test_a_model_without_cells_says_what_to_do(run: Run, square: Path, fake: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: object, pixels: np.ndarray) -> np.ndarray:
        raise MissingCapability("it gives no features per patch")

    monkeypatch.setattr(type(fake.engine), "encode_dense", fail)
    result = run("explain", square, "red", "--json")
    assert (result.code, result.out) == (2, "")
    assert "it gives no features per patch" in result.err
    assert run("explain", square, "red", "--json", "--way", "occlusion").code == 0


def test_attention_needs_a_vit_in_torch(run: Run, photos: list[Path], square: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    result = run("explain", photos[0], "a dog", "--json", "--way", "legrad")
    assert (result.code, result.out) == (2, "")
    assert "ViTs with a class token" in result.err
    result = run("explain", photos[0], "a dog", "--json", "--way", "rollout", "--engine", "onnx")
    assert (result.code, "ViTs with a class token" in result.err) == (2, True)
    monkeypatch.setitem(sys.modules, "torch", None)
    result = run("explain", photos[0], "a dog", "--json", "--way", "rollout")
    assert (result.code, "pip install 'seesay[torch]'" in result.err) == (2, True)


def test_a_text_that_does_not_fit_is_said(run: Run, photos: list[Path]) -> None:
    photo = next(path for path in photos if path.name.startswith("sailing-boat-at"))
    assert "does not fit" not in run("explain", photo, "a boat", "--json").err
    assert "'a plate of pasta' does not fit this picture" in run("explain", photo, "a plate of pasta", "--json").err


def test_explain_with_the_bundled_model_in_two_languages(run: Run, photos: list[Path]) -> None:
    photo = next(path for path in photos if path.name.startswith("sailing-boat-at"))
    for text in ("a boat", "船"):
        assert json.loads(run("explain", photo, text, "--json").out)["score"] > 0.05
