"""Graphs that others exported, from a hub into a library: both layouts end to end, in processes of their own."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

import seesay
from tests.hub_server import HubServer
from tests.parity.test_graphs import GRAPHS

IMMICH, XENOVA = "immich-app/ViT-B-32__openai", "Xenova/clip-vit-base-patch32"
Seesay = Callable[..., tuple[int, str, str]]
WITHOUT_TORCH = """
import sys
sys.modules |= dict.fromkeys(("torch", "onnx", "safetensors", "transformers"))
from seesay.cli.main import main
main()
"""


@pytest.fixture
def hub() -> Iterator[HubServer]:
    with HubServer() as running:
        for name, fixture in ((IMMICH, "immich"), (XENOVA, "clip")):
            repo = running.add(name, GRAPHS / fixture)
            repo.files["README.md"] = b"not fetched"
        yield running


@pytest.fixture
def command(hub: HubServer, tmp_path: Path) -> Seesay:
    (tmp_path / "photos").mkdir()
    for number, colour in enumerate(("red", "green", "blue", "white")):
        Image.new("RGB", (48, 40), colour).save(tmp_path / "photos" / f"{number}.png")
    places = {"HF_HOME": str(tmp_path / "hf"), "SEESAY_CACHE": str(tmp_path / "cache"), "HF_ENDPOINT": hub.url}
    environment = {**os.environ, **places, "SEESAY_LIBRARY": str(tmp_path / "library")}

    def run(*arguments: str, **more: str) -> tuple[int, str, str]:
        done = subprocess.run(
            [sys.executable, "-c", WITHOUT_TORCH, *arguments],
            capture_output=True,
            text=True,
            env={**environment, **more},
            cwd=tmp_path,
            check=False,
        )
        assert "Traceback" not in done.stderr
        return done.returncode, done.stdout, done.stderr

    return run


@pytest.mark.parametrize("repo", [IMMICH, XENOVA])
def test_pictures_are_indexed_and_searched_by_the_graphs_of_a_hub(repo: str, hub: HubServer, command: Seesay) -> None:
    code, out, err = command("index", "photos", "--model", f"hf-hub:{repo}")
    assert (code, out[:9]) == (0, "4 encoded"), err
    asked = {path for _, path, _ in hub.asked}
    for other in ("README.md", "expected.npz", "visual/model.armnn", "onnx/text_model_quantized.onnx"):
        assert not [path for path in asked if path.endswith(other)]
    before = len(hub.asked)
    code, out, err = command("search", "a red thing", "--model", repo, "--score", "cosine", "--paths", SEESAY_OFFLINE="1")
    assert (code, len(out.splitlines())) == (0, 4), err
    assert len(hub.asked) == before
    code, out, err = command("models", "info", f"hf-hub:{repo}", "--json")
    assert f'"name": "{repo}"' in out, err
    assert '"logit_scale": 100.0' in out  # which OpenAI publishes for all its models


def test_two_models_live_side_by_side_in_one_library(command: Seesay) -> None:
    for model in (("--model", IMMICH), ("--model", XENOVA), ("--model", XENOVA, "--variant", "quantized")):
        assert command("index", "photos", *model)[1].startswith("4 encoded")
        assert command("search", "a red thing", *model, "--paths")[0] == 0
    code, out, _ = command("classify", "photos/0.png", "--labels", "red,blue", "--model", IMMICH, "--template", "{}")
    assert (code, "%" in out) == (0, True)


def test_a_repository_of_many_variants_asks_which(hub: HubServer, command: Seesay, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(GRAPHS / "clip", tmp_path / "clip"))
    for name in ("vision_model", "text_model"):
        (folder / f"onnx/{name}.onnx").rename(folder / f"onnx/{name}_fp16.onnx")
    hub.add("owner/many", folder)
    code, _, err = command("index", "photos", "--model", "owner/many")
    assert code == 2
    assert "owner/many has several graphs to choose from: fp16 (onnx/vision_model_fp16.onnx, " in err
    assert "--variant fp16" in err
    assert command("index", "photos", "--model", "owner/many", "--variant", "fp16")[0] == 0
    code, _, err = command("search", "a", "--model", "owner/many", "--variant", "q4")
    assert (code, "owner/many has no variant 'q4'; it has fp16" in err) == (2, True)


def test_a_repository_without_a_known_file_and_a_name_that_leaves_its_place_are_refused(
    hub: HubServer, command: Seesay
) -> None:
    hub.add("owner/whisper", {"config.json": b'{"model_type": "whisper"}', "onnx/encoder_model.onnx": b"x"})
    hub.add("owner/bad", {"config.json": b"{}", "onnx/../../vision_model.onnx": b"x", "../onnx/text_model.onnx": b"x"})
    for repo, message in (
        ("owner/whisper", "owner/whisper has no weights that SeeSay reads"),
        ("owner/bad", "owner/bad has no weights that SeeSay reads"),
        ("hf-hub:../passwd", "names no repository on a hub"),
        ("hf-hub:owner/..", "names no repository on a hub"),
    ):
        code, _, err = command("index", "photos", "--model", repo)
        assert (code, message in err) == (2, True), err
    assert not [path for _, path, _ in hub.asked if path.endswith(".onnx")]


def test_graphs_that_are_not_what_the_files_say_leave_nothing_prepared(hub: HubServer, command: Seesay, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(GRAPHS / "immich", tmp_path / "immich"))
    (folder / "visual" / "preprocess_cfg.json").unlink()
    hub.add("owner/lacking", folder)
    code, _, err = command("index", "photos", "--model", "owner/lacking")
    assert (code, "which says how pictures are prepared" in err) == (2, True)
    assert not [path for path in (tmp_path / "cache" / "models").iterdir() if path.is_dir()]
    code, out, err = command("index", "photos", "--model", "owner/lacking", "--preprocessing", "openai")
    assert (code, out[:9]) == (0, "4 encoded"), err


def test_a_cached_model_is_removed_by_its_name(command: Seesay, tmp_path: Path) -> None:
    assert command("embed", "--text", "a", "-o", "a.npz", "--model", IMMICH)[0] == 0
    assert command("models", "remove", IMMICH)[0] == 0
    assert not [path for path in (tmp_path / "cache" / "models").iterdir() if path.is_dir()]
    assert seesay.load(GRAPHS / "immich").name == "immich"  # what was linked is still there
