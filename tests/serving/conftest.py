"""A server over a small library of painted pictures, with a model that knows colours."""

import base64
import io
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import uvicorn
from PIL import Image
from starlette.testclient import TestClient

from seesay.library import Library
from seesay.model import Model
from seesay.serving.app import create_app
from seesay.serving.settings import Settings
from tests.conftest import Paint

Serve = Callable[..., TestClient]
KEY = "a-long-and-random-key"


class ServerThread:
    """uvicorn in a thread. It can stop, and start again at the same port.

    config: of a port (0: any free one) -> how uvicorn runs, with an application of its own at each start.
    """

    def __init__(self, config: Callable[[int], uvicorn.Config]) -> None:
        self._config = config
        self.port = 0
        self.start()

    def __enter__(self) -> "ServerThread":
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def start(self) -> None:
        self._server = uvicorn.Server(self._config(self.port))
        self._thread = threading.Thread(target=self._server.run)
        self._thread.start()
        while not self._server.started:
            assert self._thread.is_alive(), "the server could not start"
            time.sleep(0.01)
        self.port = self._server.servers[0].sockets[0].getsockname()[1]

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"


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
        options = Settings(host=host, **settings)  # type: ignore[arg-type]
        app = create_app(model, options, library=library or tmp_path / "no-library", cache=tmp_path / "thumbnails")
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
