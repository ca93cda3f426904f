"""A server over a small library of painted pictures, with a model that knows colours."""

import base64
import io
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image
from starlette.testclient import TestClient

from seesay.library import Library
from seesay.model import Model
from seesay.serving.app import create_app
from seesay.serving.settings import Settings
from tests.conftest import Paint

Serve = Callable[..., TestClient]


def data_uri(colour: str = "red", size: tuple[int, int] = (40, 30), form: str = "PNG") -> str:
    return f"data:image/{form.lower()};base64,{encoded(colour, size, form)}"


def encoded(colour: str = "red", size: tuple[int, int] = (40, 30), form: str = "PNG") -> str:
    stream = io.BytesIO()
    Image.new("RGB", size, colour).save(stream, form)
    return base64.b64encode(stream.getvalue()).decode()


@pytest.fixture
def library_folder(tmp_path: Path, fake: Model, paint: Paint) -> Path:
    """Six pictures in three folders: two red, two blue, a green and a yellow one."""
    for name in ("a/red-1.png", "a/red-2.png", "b/blue-1.png", "b/deep/blue-2.png", "green.png", "yellow.png"):
        paint(name, Path(name).name.split("-")[0].removesuffix(".png"))
    with Library(tmp_path / "library", fake) as library:
        library.index(tmp_path / "pictures")
    return tmp_path / "library"


@pytest.fixture
def serve(tmp_path: Path, fake: Model) -> Iterator[Serve]:
    """serve(model=..., library=..., **settings) -> a client of a new server, as a program on this machine."""
    clients: list[TestClient] = []

    def start(*, model: Model = fake, library: Path | None = None, host: str = "127.0.0.1", **settings: object) -> TestClient:
        said = Settings(host=host, **settings)  # type: ignore[arg-type]
        app = create_app(model, said, library=library or tmp_path / "no-library", cache=tmp_path / "thumbnails")
        client = TestClient(app, base_url="http://127.0.0.1:8000", raise_server_exceptions=False)
        client.__enter__()
        clients.append(client)
        return client

    yield start
    for client in clients:
        client.__exit__(None, None, None)


@pytest.fixture
def client(serve: Serve, library_folder: Path) -> TestClient:
    return serve(library=library_folder)
