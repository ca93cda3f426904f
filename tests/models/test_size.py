"""Counted parameters against the towers themselves, for every architecture of the catalogue."""

from typing import Any

import pytest
import torch

from seesay.checkpoints.hub.catalog import Architecture, catalog
from seesay.checkpoints.hub.locate import BUNDLED
from seesay.models import size as estimate
from seesay.models.clip import make_tower
from seesay.models.config import read_config
from seesay.models.families.cbow.config import CbowConfig

ARCHITECTURES = catalog().architectures


def count(tower: Any) -> int:
    return sum(parameter.numel() for parameter in tower.parameters())


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_parameters_are_counted_without_building(name: str) -> None:
    architecture: Architecture = ARCHITECTURES[name]
    if architecture.image.kind == "timm":
        pytest.importorskip("timm")
    with torch.device("meta"):
        assert estimate.parameters(architecture.image, architecture.dim) == count(
            make_tower(architecture.image, architecture.dim)
        )
        assert estimate.parameters(architecture.text, architecture.dim) == count(
            make_tower(architecture.text, architecture.dim)
        )


def test_parameters_of_the_other_towers() -> None:
    config = read_config(BUNDLED)
    cbow = CbowConfig("cbow", 48, 1000)
    with torch.device("meta"):
        for tower in (config.image, config.text, cbow):
            assert estimate.parameters(tower, config.dim) == count(make_tower(tower, config.dim))


@pytest.mark.parametrize(
    ("name", "image", "text"),
    [("ViT-B-32", 4.41e9, 2.98e9), ("ViT-L-14", 81.1e9, 6.6e9), ("RN50", 6.1e9, 2.98e9)],
)
def test_operations_are_those_published(name: str, image: float, text: float) -> None:
    """Known counts (multiply-accumulates at 224 pixels and 77 tokens); the small parts left out are below 10 %."""
    architecture = ARCHITECTURES[name]
    assert estimate.operations(architecture.image, architecture.dim) == pytest.approx(image, rel=0.1)
    assert estimate.operations(architecture.text, architecture.dim, tokens=77) == pytest.approx(text, rel=0.1)
