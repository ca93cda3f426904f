"""Graphs that others exported, from a hub into a library: both layouts end to end, in processes of their own."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

from tests.hub_server import HubServer
from tests.parity.test_graphs import GRAPHS

IMMICH, XENOVA = "immich-app/ViT-B-32__openai", "Xenova/clip-vit-base-patch32"
Commands = Callable[..., list[tuple[int, str, str]]]
# Runs commands in one process without torch, and prints what came of each.
PROGRAM = """
import contextlib, io, json, sys
sys.modules |= dict.fromkeys(("torch", "onnx", "safetensors", "transformers"))
from seesay.cli.main import main
for arguments in json.loads(sys.argv[1]):
    sys.argv, code = ["seesay", *arguments], 0
    streams = [io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2)]
    with contextlib.redirect_stdout(streams[0]), contextlib.redirect_stderr(streams[1]):
        try:
            main()
        except SystemExit as end:
            code = end.code or 0
    for stream in streams:
        stream.seek(0)
    sys.__stdout__.write(json.dumps((code, *(stream.read() for stream in streams))) + "\\n")
"""


@pytest.fixture
def hub() -> Iterator[HubServer]:
    with HubServer() as running:
        for name, fixture in ((IMMICH, "immich"), (XENOVA, "clip")):
            repo = running.add(name, GRAPHS / fixture)
            repo.files["README.md"] = b"not fetched"
        yield running


@pytest.fixture
def seesay_commands(hub: HubServer, tmp_path: Path) -> Commands:
    (tmp_path / "photos").mkdir()
    for number, colour in enumerate(("red", "green", "blue", "white")):
        Image.new("RGB", (48, 40), colour).save(tmp_path / "photos" / f"{number}.png")
    places = {"HF_HOME": str(tmp_path / "hf"), "SEESAY_CACHE": str(tmp_path / "cache"), "HF_ENDPOINT": hub.url}
    environment = {**os.environ, **places, "SEESAY_LIBRARY": str(tmp_path / "library"), "SEESAY_LANG": "en"}

    def run(*commands: str, **more: str) -> list[tuple[int, str, str]]:
        arguments = json.dumps([command.split() for command in commands])
        program = [sys.executable, "-c", PROGRAM, arguments]
        done = subprocess.run(program, capture_output=True, text=True, env={**environment, **more}, cwd=tmp_path, check=False)
        assert "Traceback" not in done.stdout + done.stderr
        return [tuple(json.loads(line)) for line in done.stdout.splitlines()]

    return run


@pytest.mark.parametrize("repo", [IMMICH, XENOVA])
def test_pictures_are_indexed_and_searched_by_the_graphs_of_a_hub(repo: str, hub: HubServer, seesay_commands: Commands) -> None:
    indexed, classified = seesay_commands(
        f"index photos --model hf:{repo}",
        f"classify photos/0.png --labels red,blue --template {{}} --model {repo}",  # by the scale that OpenAI publishes
    )
    assert (indexed[0], indexed[1][:9]) == (0, "4 encoded"), indexed
    assert (classified[0], "%" in classified[1]) == (0, True), classified
    asked = {path for _, path, _ in hub.asked}
    for other in ("README.md", "expected.npz", "visual/model.armnn", "onnx/text_model_quantized.onnx"):
        assert not [path for path in asked if path.endswith(other)]
    before = len(hub.asked)
    found, info = seesay_commands(
        f"search red --score cosine --paths --model {repo}", f"models info {repo} --json", SEESAY_OFFLINE="1"
    )
    assert (found[0], len(found[1].splitlines())) == (0, 4), found
    assert json.loads(info[1])["name"] == repo
    assert json.loads(info[1])["logit_scale"] == 100
    assert len(hub.asked) == before


def test_models_of_two_layouts_and_variants_live_side_by_side_in_one_library(seesay_commands: Commands) -> None:
    models = (IMMICH, XENOVA, f"{XENOVA} --variant quantized")
    commands = [f"{command} --model {model}" for command in ("index photos", "search red --paths") for model in models]
    *_, last = done = seesay_commands(*commands, f"models remove {IMMICH}")
    assert [result[0] for result in done] == [0] * 7, done
    assert all(result[1].startswith("4 encoded") for result in done[:3])
    assert last[1].count(IMMICH) == 2  # what was fetched and what was prepared


def test_what_a_repository_lacks_and_what_it_has_too_many_of(hub: HubServer, seesay_commands: Commands, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(GRAPHS / "clip", tmp_path / "clip"))
    for name in ("vision_model", "text_model"):
        (folder / f"onnx/{name}.onnx").rename(folder / f"onnx/{name}_fp16.onnx")
    hub.add("owner/many", folder)
    hub.add("owner/whisper", {"config.json": b'{"model_type": "whisper"}', "onnx/encoder_model.onnx": b"x"})
    hub.add("owner/bad", {"config.json": b"{}", "onnx/../../vision_model.onnx": b"x", "../onnx/text_model.onnx": b"x"})
    lacking = Path(shutil.copytree(GRAPHS / "immich", tmp_path / "immich"))
    (lacking / "visual" / "preprocess_cfg.json").unlink()
    hub.add("owner/lacking", lacking)
    cases = {
        "owner/many": "several graphs to choose from: fp16 (onnx/vision_model_fp16.onnx, onnx/text_model_fp16.onnx), quantized",
        "owner/many --variant q4": "owner/many has no variant 'q4'; it has fp16",
        "owner/whisper": "owner/whisper has no weights that SeeSay reads",
        "owner/bad": "owner/bad",  # the hub's library refuses it first
        "hf:../passwd": "is not a name on a hub",
        "hf:owner/..": "is not a name on a hub",
        "owner/lacking": "which says how pictures are prepared",
    }
    results = seesay_commands(*(f"embed --text a -o a.npz --model {model}" for model in cases))
    for (code, _, err), message in zip(results, cases.values(), strict=True):
        assert (code, message in err) == (2, True), err
    assert not [path for path in (tmp_path / "cache" / "models").iterdir() if path.is_dir()]  # nothing half-made
    fetched = {path.rsplit("/", 1)[-1] for _, path, _ in hub.asked if path.endswith(".onnx")}
    assert fetched == {"model.onnx"}  # of owner/lacking
    chosen = ("owner/many --variant fp16", "owner/lacking --preprocessing openai")
    results = seesay_commands(*(f"embed --text a -o a.npz --model {model}" for model in chosen))
    assert [code for code, _, _ in results] == [0, 0], results
