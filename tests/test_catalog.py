"""The catalogue's facts, and its names on a hub."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from seesay.catalog import architecture, catalog, find
from seesay.config import VitConfig
from seesay.errors import ModelError
from seesay.location import locate
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


def test_unknown_names_show_near_ones() -> None:
    with pytest.raises(ModelError, match=r"near: .*openai/ViT-B-32"):
        locate("openai/ViTB32")
    with pytest.raises(ModelError, match="near: ViT-B-32"):
        architecture("ViT-B32")


@pytest.mark.parametrize("name", ["laion/CLIP-ViT-B-32-laion2B-s34B-b79K", "hf-hub:someone/clip"])
def test_a_name_loads_from_a_hub_and_then_offline(name: str, tmp_path: Path) -> None:
    """A tiny checkpoint stands in for the published one: what a repository says of itself wins over the catalogue."""
    repository = name.removeprefix("hf-hub:")
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
