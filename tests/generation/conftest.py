"""Pipelines with random weights, made once and opened once."""

import warnings
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from seesay.generation.conditioner import Conditioner


class Generator:
    """A generator: its folder as diffusers lays it out, the same as one file, and the pipeline of that folder."""

    def __init__(self, name: str, place: Path) -> None:
        self.name, self.place = name, place

    @cached_property
    def folder(self) -> Path:
        from tests.generation.pipelines import MAKERS

        return MAKERS[self.name](self.place / self.name)

    @cached_property
    def file(self) -> Path:
        from tests.generation.single_file import single_file

        return single_file(self.folder, self.place / f"{self.name}.safetensors")

    @cached_property
    def conditioners(self) -> dict[str, Conditioner]:
        """SeeSay's, by what they were opened from."""
        return {"folder": Conditioner(self.folder), "file": Conditioner(self.file)}

    @cached_property
    def pipeline(self) -> Any:
        from diffusers import DiffusionPipeline

        return DiffusionPipeline.from_pretrained(self.folder)


class Generators(dict[str, Generator]):
    """Generators by the name of their maker."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def __missing__(self, name: str) -> Generator:
        self[name] = Generator(name, self.place)
        return self[name]


@pytest.fixture(scope="session")
def generators(tmp_path_factory: pytest.TempPathFactory) -> Generators:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # older diffusers warn at their import that there is no CUDA
        import diffusers
        from diffusers import StableDiffusionPipeline, StableDiffusionXLPipeline, StableUnCLIPImg2ImgPipeline  # noqa: F401

    diffusers.utils.logging.set_verbosity_error()
    diffusers.utils.logging.disable_progress_bar()
    return Generators(tmp_path_factory.mktemp("generators"))
"""Small models of real towers with random weights, which torch runs."""

from dataclasses import replace

import pytest
import torch

import seesay
from seesay.engines.fake import FakeTokenizer
from seesay.engines.torch import TorchEngine
from seesay.model import Model
from seesay.models.clip import Clip
from seesay.models.families.efficientnet_lite.config import EfficientNetLiteConfig
from seesay.models.families.vit.config import VitConfig
from seesay.models.initialise import initialise
from seesay.models.tower_config import ImageTowerConfig

VIT = VitConfig("vit", 32, 8, 48, 3, 4, 96, "gelu", 1e-5)
CONVOLUTIONS = EfficientNetLiteConfig(
    "efficientnet-lite", 32, ((1, 3, 1), (1, 3, 2), (1, 3, 2)), (8, 8, 16, 24, 48), 0, "linear"
)


def made_of(image: ImageTowerConfig) -> Model:
    """A model with this image tower and a text tower, both drawn from one seed."""
    config = replace(seesay.fake_model().config, image=image, name="tiny")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        clip = Clip(config)
        initialise(clip.image)
        initialise(clip.text)
    return Model(config, FakeTokenizer(), TorchEngine(clip))


@pytest.fixture(scope="package")
def tiny() -> Model:
    """With a ViT, which takes pictures of one size."""
    return made_of(VIT)


@pytest.fixture(scope="package")
def convolutions() -> Model:
    """With a tower of convolutions, which takes any."""
    return made_of(CONVOLUTIONS)
