"""The catalogue's facts, and its names on a hub."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from seesay.checkpoints.hub.catalog import CatalogModel, architecture, catalog, find
from seesay.checkpoints.hub.locate import locate
from seesay.checkpoints.overrides import Overrides
from seesay.checkpoints.reader import open_checkpoint
from seesay.errors import ModelError
from seesay.models import size
from seesay.models.families.clip_text.config import ClipTextConfig
from seesay.models.families.vit.config import VitConfig
from tests.hub_server import HubServer
from tests.parity.test_checkpoints import DATA

MODELS = catalog().models


def test_families_are_whole() -> None:
    families = [model.family for model in MODELS]
    assert families.count("openai") == 9
    assert families.count("chinese-clip") == 5
    assert families.count("open_clip") >= 40


def test_names_are_unique_and_found_whatever_their_case() -> None:
    names = [name.lower() for model in MODELS for name in (model.id, *model.aliases)]
    assert len(names) == len(set(names))
    for name in ("ViT-B/32", "openai/clip-vit-base-patch32", "OPENAI/vit-b-32"):
        found = find(name)
        assert found is not None
        assert found.id == "openai/ViT-B-32"


@pytest.mark.parametrize("model", MODELS, ids=[model.id for model in MODELS])
def test_every_fact_has_its_source_and_fits_the_others(model: object) -> None:
    entry = next(m for m in MODELS if m is model)
    found = architecture(entry.architecture, entry.activation)
    assert entry.preprocess.size_px == found.image.image_px
    if isinstance(found.image, VitConfig):
        assert found.image.activation == entry.activation
    assert (entry.licence.name is None) == (entry.licence.source is None)
    assert entry.source.cited
    assert entry.source.repo or entry.source.url
    assert entry.source.sha256 is None or re.fullmatch("[0-9a-f]{64}", entry.source.sha256)
    assert entry.languages
    for score in entry.scores:
        assert 0 < score.value < 1
        assert score.source


@pytest.mark.parametrize(
    ("name", "task", "value"),
    [
        ("openai/ViT-L-14-336", "ImageNet-1k zero-shot", 0.7656),
        ("ViT-B-32:laion2b_s34b_b79k", "ImageNet-1k zero-shot", 0.6656),
        ("chinese-clip/ViT-B-16", "ImageNet-CN zero-shot", 0.483),
    ],
)
def test_scores_are_the_published_ones(name: str, task: str, value: float) -> None:
    entry = find(name) or find("ViT-L/14@336px")
    assert entry is not None
    assert next(score.value for score in entry.scores if score.task == task) == pytest.approx(value, abs=5e-5)


TINY = [model for model in MODELS if model.family == "tiny-clip"]


@pytest.mark.parametrize("model", TINY, ids=[model.architecture for model in TINY])
def test_tiny_clip_has_the_parameters_of_its_name(model: CatalogModel) -> None:
    """In millions, word embeddings and positions not counted: ViT-8M-16-Text-3M."""
    towers = architecture(model.architecture)
    image, text = re.fullmatch(r"TinyCLIP-\w+-(\d+)M(?:-\d+)?-Text-(\d+)M", model.architecture).groups()  # type: ignore[union-attr]
    assert isinstance(towers.text, ClipTextConfig)
    embeddings = towers.text.width * (towers.text.vocabulary + towers.text.positions)
    assert round(size.parameters(towers.image, towers.dim) / 1e6) == int(image)
    assert round((size.parameters(towers.text, towers.dim) - embeddings) / 1e6) == int(text)


def test_long_clip_is_openais_with_more_positions() -> None:
    for name, base in (("LongCLIP-B", "openai/ViT-B-16"), ("LongCLIP-L", "openai/ViT-L-14")):
        long, short = find(name), find(base)
        assert long is not None
        assert short is not None
        width = {"LongCLIP-B": 512, "LongCLIP-L": 768}[name]
        assert long.parameters - short.parameters == (248 - 77) * width
        assert architecture(long.architecture).tokenizer_spec.context_length == 248


def test_unknown_names_show_near_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEESAY_OFFLINE", "1")
    with pytest.raises(
        ModelError, match=r"near: .*openai/ViT-B-32.*as a repository on the hub: openai/ViTB32 .* not in the ca"
    ):
        locate("openai/ViTB32")
    for name in ("ViTB32", "models/absent.pt", "./models/absent", "models/absent/", "../absent"):  # names no repository
        with pytest.raises(ModelError, match="no model .*nor an existing file or folder. List the catalogue"):
            locate(name)
    with pytest.raises(ModelError, match="near: ViT-B-32"):
        architecture("ViT-B32")


Seesay = Callable[..., str]


@pytest.fixture
def hub() -> Iterator[HubServer]:
    with HubServer() as running:
        yield running


@pytest.fixture
def seesay(hub: HubServer, tmp_path: Path) -> Seesay:
    """Runs a program in a new process, as hubs are configured at its start; returns its output or its error's last line."""
    places = {"HF_HOME": str(tmp_path / "hf"), "SEESAY_CACHE": str(tmp_path / "cache"), "HF_ENDPOINT": hub.url}

    def run(code: str, **environment: str) -> str:
        program = [sys.executable, "-c", f"import seesay\n{code}"]
        done = subprocess.run(program, env=os.environ | places | environment, capture_output=True, text=True, check=False)
        return done.stderr.splitlines()[-1] if done.returncode else done.stdout

    return run


LOADED = "m = seesay.load({!r}); print(m.name, m.config.licence, m.dim)"
FETCHED = (
    "from huggingface_hub import hf_hub_download as get\nfor file in {}: get({!r}, file)"  # as transformers fills the cache
)


def test_a_repository_is_found_by_its_bare_name(hub: HubServer, seesay: Seesay) -> None:
    hub.add("someone/clip", DATA / "hf-clip-5")
    printed = seesay(LOADED.format("someone/clip"))
    assert printed.split()[1:] == ["unknown", "24"]
    assert seesay(LOADED.format("someone/clip"), SEESAY_OFFLINE="1") == printed
    missing = seesay(LOADED.format("openai/ViTB32"))
    assert "near: openai/ViT-B-32" in missing
    assert f"as a repository on the hub: {hub.url} has no repository openai/ViTB32" in missing


@pytest.mark.parametrize("file", ["model.safetensors", "pytorch_model.bin"])
def test_what_transformers_fetched_is_used(hub: HubServer, seesay: Seesay, tmp_path: Path, file: str) -> None:
    """By transformers' name, whichever of its weights are cached; no request goes to its authors."""
    folder, name = tmp_path / "made", "openai/clip-vit-base-patch32"
    shutil.copytree(DATA / "hf-clip-5", folder)
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    hub.add(name, folder)
    hub.add("someone/else", {"config.json": b"{}"})
    seesay(FETCHED.format(["config.json", "processor_config.json", file], name))
    before = len(hub.downloads())
    printed = seesay(LOADED.format(name))
    assert printed.split() == ["openai/ViT-B-32", "unknown", "24"]
    assert len(hub.downloads()) == before
    for environment in ({"SEESAY_OFFLINE": "1"}, {"HF_ENDPOINT": "http://127.0.0.1:9"}):
        assert seesay(LOADED.format(name), **environment) == printed
    seesay(FETCHED.format(["config.json"], "someone/else"))  # by another program: not ours to list or remove
    cached = "from seesay.checkpoints.hub.inventory import *\nprint(*[one.kind for one in {}])"
    assert seesay(cached.format("cache_entries()")).split() == ["repository", "prepared"]
    assert seesay(cached.format(f"remove({name!r})")).split() == ["repository", "prepared"]
    assert seesay(cached.format("cache_entries()")).split() == []
    assert "is not in the cache" in seesay(LOADED.format(name), SEESAY_OFFLINE="1")


def test_what_transformers_fetched_of_chinese_clip_is_used(hub: HubServer, seesay: Seesay) -> None:
    name = "OFA-Sys/chinese-clip-vit-base-patch16"
    hub.add(name, DATA / "hf-chinese-clip-5")
    seesay(FETCHED.format(["config.json", "processor_config.json", "model.safetensors"], name))
    assert seesay(LOADED.format(name), SEESAY_OFFLINE="1").split()[0] == "chinese-clip/ViT-B-16"


@pytest.mark.parametrize("name", ["Salesforce/blip-itm-base-coco", "hf:Salesforce/blip-itm-base-coco"])
def test_a_family_that_is_not_read_is_told_before_its_weights_are_fetched(hub: HubServer, seesay: Seesay, name: str) -> None:
    weights = bytes(range(256)) * 2000
    hub.add(name.removeprefix("hf:"), {"config.json": b'{"model_type": "blip"}', "model.safetensors": weights})
    assert "this is a BLIP model (Hugging Face), which this version of SeeSay does not read" in seesay(LOADED.format(name))
    assert hub.downloads() == []


def test_a_conversion_is_prepared_as_its_authors_do(tmp_path: Path) -> None:
    """So that the same weights are one space, whether they came from OpenAI or as transformers keeps them."""
    folder, entry = tmp_path / "made", find("openai/clip-vit-base-patch32")
    assert entry is not None
    shutil.copytree(DATA / "hf-clip-5", folder)
    state, config = load_file(folder / "model.safetensors"), json.loads((folder / "config.json").read_text())
    for key, value in (("token_embedding", 49408), ("position_embedding", 77)):
        state[f"text_model.embeddings.{key}.weight"] = torch.zeros(value, 24)
    state["vision_model.embeddings.position_embedding.weight"] = torch.zeros(28 * 28 + 1, 32)
    config["text_config"] |= {"vocab_size": 49408, "max_position_embeddings": 77, "eos_token_id": 49407}
    config["vision_config"] |= {"image_size": 224}
    said = {"shortest_edge": 224}
    processor = json.loads((folder / "processor_config.json").read_text())["image_processor"]
    processor |= {"size": said, "crop_size": {"height": 224, "width": 224}}
    save_file(state, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "processor_config.json").write_text(json.dumps({"image_processor": processor}))
    described = open_checkpoint(folder, Overrides(entry=entry)).description
    assert described.image_spec == entry.preprocess
    published = architecture(entry.architecture)
    assert (described.tokenizer, described.tokenizer_spec) == (published.vocabulary, published.tokenizer_spec)
    unknown = open_checkpoint(folder).description
    assert unknown.image_spec == replace(entry.preprocess, alpha="white", crop="floored")
    assert unknown.tokenizer == "folder"


@pytest.mark.parametrize("name", ["laion/CLIP-ViT-B-32-laion2B-s34B-b79K", "hf:someone/clip"])
def test_a_name_loads_from_a_hub_and_then_offline(name: str, tmp_path: Path) -> None:
    """A tiny checkpoint replaces the published one: a repository's own configuration wins over the catalogue."""
    repository = name.removeprefix("hf:")
    code = f"import seesay; m = seesay.load({name!r}); print(m.name, m.config.licence, m.config.languages, m.dim)"
    with HubServer() as hub:
        hub.add(repository, DATA / "open-clip-native")
        environment = os.environ | {
            "HF_ENDPOINT": hub.url,
            "HF_HOME": str(tmp_path / "hf"),
            "SEESAY_CACHE": str(tmp_path / "cache"),
        }
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    if name.startswith("laion"):
        assert done.stdout.split()[:2] == ["open_clip/ViT-B-32/laion2b_s34b_b79k", "MIT"]
    again = environment | {"SEESAY_OFFLINE": "1"}
    assert (
        subprocess.run([sys.executable, "-c", code], env=again, capture_output=True, text=True, check=True).stdout
        == done.stdout
    )
