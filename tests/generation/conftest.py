"""Pipelines with random weights, made once and opened once."""

import warnings
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from seesay.generation.conditioner import Conditioner
from seesay.model import Model
from tests.generation.small_models import CONVOLUTIONS, VIT, made_of


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


@pytest.fixture(scope="package")
def tiny() -> Model:
    """With a ViT, which takes pictures of one size."""
    return made_of(VIT)


@pytest.fixture(scope="package")
def convolutions() -> Model:
    """With a tower of convolutions, which takes any."""
    return made_of(CONVOLUTIONS)
