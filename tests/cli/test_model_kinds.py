"""Index, search, classify and serve with models of each kind, as they lie on a hub."""

import base64
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.checkpoints.test_siglip import words
from tests.conftest import Paint
from tests.hub_server import HubServer
from tests.parity.test_checkpoints import DATA
from tests.parity.test_graphs import GRAPHS

PIECES = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "dog", "cat", "photo", "of", "red", "blue")
SCALE, BIAS = ("--scale", "10"), ("--bias", "-5")  # which graphs do not hold
KINDS: dict[str, tuple[str, ...]] = {"siglip": (), "align": (), "graphs": SCALE, "siglip-graphs": (*SCALE, *BIAS)}


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubServer]:
    """owner/siglip and owner/align: tiny random weights with a vocabulary beside; the graphs of others."""
    place = tmp_path_factory.mktemp("repositories")
    siglip = Path(shutil.copytree(DATA / "hf-siglip-5", place / "siglip"))
    (siglip / "tokenizer.json").write_text(words(), encoding="utf-8")
    (siglip / "tokenizer_config.json").write_text(
        '{"tokenizer_class": "SiglipTokenizer", "pad_token": "</s>"}', encoding="utf-8"
    )
    align = Path(shutil.copytree(DATA / "hf-align-5", place / "align"))
    unused = [f"[unused{number}]" for number in range(60 - len(PIECES))]
    (align / "vocab.txt").write_text("\n".join([*PIECES, *unused]) + "\n", encoding="utf-8")
    with HubServer() as running:
        folders = {"siglip": siglip, "align": align, "graphs": GRAPHS / "clip", "siglip-graphs": GRAPHS / "siglip"}
        for name, folder in folders.items():
            running.add(f"owner/{name}", folder)
        yield running


@pytest.fixture
def environment(hub: HubServer, tmp_path: Path) -> dict[str, str]:
    places = {name: str(tmp_path / name) for name in ("HF_HOME", "SEESAY_CACHE", "SEESAY_LIBRARY")}
    return {**os.environ, **places, "HF_ENDPOINT": hub.url, "SEESAY_LANG": "en"}


def seesay(environment: dict[str, str], *arguments: object) -> Any:
    """The JSON that a command prints."""
    command = [sys.executable, "-m", "seesay", *map(str, arguments), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_of_each_kind_indexes_searches_classifies_and_serves(
    kind: str, environment: dict[str, str], paint: Paint, tmp_path: Path
) -> None:
    for colour in ("red", "green", "blue"):
        paint(f"{colour}.png", colour, size=(64, 48))
    pictures, model = tmp_path / "pictures", ("--model", f"hf:owner/{kind}", *KINDS[kind])
    assert seesay(environment, "index", pictures, *model)["encoded"] == 3
    found = seesay(environment, "search", "a dog", *model)["results"]
    assert {Path(hit["path"]).stem for hit in found} == {"red", "green", "blue"}
    score = "sigmoid" if "siglip" in kind else "softmax"
    classified = seesay(environment, "classify", pictures / "red.png", "--labels", "dog,cat", *model)
    (result,) = classified["results"]
    assert classified["score"] == score
    assert (abs(sum(result["probabilities"].values()) - 1) < 1e-4) == (score == "softmax")

    command = [sys.executable, "-m", "seesay", "serve", "--port", "0", *model]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)
    try:
        assert process.stderr is not None
        address = process.stderr.readline().split()[3]
        body = {"images": [{"image": "data:image/png;base64," + encoded(pictures / "red.png")}], "labels": ["dog", "cat"]}
        answer = httpx2.post(f"{address}/v1/classify", json=body, timeout=60).json()
        assert answer["score"] == score
        served = {each["label"]: each["probability"] for each in answer["results"][0]["scores"]}
        assert served == pytest.approx(result["probabilities"], abs=1e-4)
        hits = httpx2.post(f"{address}/v1/search", json={"query": "a dog"}, timeout=60).json()["results"]
        assert [hit["name"] for hit in hits] == [Path(hit["path"]).name for hit in found]
    finally:
        process.kill()
        process.communicate()


def encoded(file: Path) -> str:
    return base64.b64encode(file.read_bytes()).decode()


def test_two_models_side_by_side_in_one_library(environment: dict[str, str], paint: Paint, tmp_path: Path) -> None:
    for colour in ("red", "green"):
        paint(f"{colour}.png", colour, size=(64, 48))
    for kind in ("siglip", "align"):
        assert seesay(environment, "index", tmp_path / "pictures", "--model", f"hf:owner/{kind}")["encoded"] == 2
    found = [seesay(environment, "search", "a dog", "--model", f"hf:owner/{kind}") for kind in ("siglip", "align")]
    assert [len(each["results"]) for each in found] == [2, 2]
    assert found[0]["space_id"] != found[1]["space_id"]
