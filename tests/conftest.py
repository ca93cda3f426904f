"""Every test has a home, a library and a random seed of its own; warnings are errors (pyproject.toml)."""

import os
import random
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import seesay
from seesay.model import Model
from tests.picture_server import Server

PHOTOS = Path(__file__).parent.parent / "examples" / "photos"

COLOURS = {"red": (230, 20, 20), "green": (20, 220, 30), "blue": (20, 30, 230), "yellow": (235, 230, 20), "black": (5, 5, 5)}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--soak", action="store_true", help="tests/reliability at full length (make soak), not at a glance")


@pytest.fixture
def soak(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--soak"))


@pytest.fixture(autouse=True)
def _isolated(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path_factory.mktemp("home")
    for variable in ("HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(variable, str(home))
    for variable in list(os.environ):
        if variable.startswith(("SEESAY_", "HF_", "HUGGING")):
            monkeypatch.delenv(variable)
    monkeypatch.setenv("LANGUAGE", "en")  # of the command line
    random.seed(0)
    np.random.seed(0)


@pytest.fixture(scope="session")
def bundled() -> Model:
    return seesay.load()


@pytest.fixture
def fake() -> Model:
    return seesay.fake_model()


@pytest.fixture(scope="session")
def photos() -> list[Path]:
    """The example photos, in order of name."""
    found = sorted(path for path in PHOTOS.rglob("*") if path.suffix in (".jpg", ".png", ".webp"))
    assert len(found) >= 100
    return found


Paint = Callable[..., Path]


@pytest.fixture
def paint(tmp_path: Path) -> Paint:
    """paint("a/red-1.png", "red") writes a small picture below tmp_path/pictures; every one differs in a corner pixel."""
    count = 0

    def draw(name: str, colour: str = "red", size: tuple[int, int] = (48, 40), **save: object) -> Path:
        nonlocal count
        count += 1
        path = tmp_path / "pictures" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        image = Image.new("RGB", size, COLOURS[colour])
        image.putpixel((0, 0), (count % 256, count // 256, 7))
        image.save(path, **save)
        return path

    return draw


@pytest.fixture
def server() -> Iterator[Server]:
    """A server of pictures; server.url("/a.png", sends(png())) says what it has."""
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def located(latitude: float, longitude: float) -> Image.Exif:
    """What a camera writes that knows where it is."""
    exif = Image.Exif()

    def parts(degrees: float) -> tuple[int, int, float]:
        minutes = abs(degrees) % 1 * 60
        return int(abs(degrees)), int(minutes), round(minutes % 1 * 60, 3)

    exif.get_ifd(0x8825).update(
        {1: "S" if latitude < 0 else "N", 2: parts(latitude), 3: "W" if longitude < 0 else "E", 4: parts(longitude)}
    )
    return exif


def is_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0
