"""The tiny checkpoints, made once."""

from pathlib import Path

import pytest

from tests.compat.tiny import MAKERS


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("tiny")
    return {name: make(folder / name) for name, make in MAKERS.items()}
