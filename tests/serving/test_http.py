"""What HTTP asks of a server, over real connections: HEAD, ranges, headers that are sent twice."""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from seesay.model import Model
from seesay.serving.app import create_app
from seesay.serving.guard.heads import BoundedHeads
from seesay.serving.settings import Settings
from tests.serving.conftest import KEY, ServerThread

Answer = tuple[int, dict[str, str], bytes]


class Connected:
    """A server of six pictures, to which requests are written by hand."""

    def __init__(self, port: int) -> None:
        self.port = port

    def send(self, raw: bytes) -> Answer:
        """A request that ends its connection, whatever it holds."""
        with socket.create_connection(("127.0.0.1", self.port)) as connection:
            connection.settimeout(20)
            connection.sendall(raw)
            answer = b""
            while piece := connection.recv(65536):
                answer += piece
        head, _, body = answer.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        return int(first.split()[1]), {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}, body

    def ask(self, method: str, path: str, *headers: str, body: bytes = b"") -> Answer:
        lines = ["Host: 127.0.0.1", "Connection: close", f"Content-Length: {len(body)}", *headers]
        return self.send(
            f"{method} {path} HTTP/1.1\r\n".encode() + "".join(f"{line}\r\n" for line in lines).encode() + b"\r\n" + body
        )

    def ids(self) -> list[str]:
        body = self.ask("POST", "/v1/browse", "Content-Type: application/json", body=b'{"sort": "name"}')[2]
        return json.loads(body)["ids"]  # type: ignore[no-any-return]


@pytest.fixture(params=["httptools", "h11"])
def connected(library_folder: Path, fake: Model, request: pytest.FixtureRequest) -> Iterator[Connected]:
    with connected_to(create_app(fake, library=library_folder), request.param) as server:
        yield server


@pytest.fixture
def with_key(library_folder: Path, fake: Model) -> Iterator[Connected]:
    with connected_to(create_app(fake, Settings(api_key=KEY), library=library_folder), BoundedHeads) as server:
        yield server


@contextmanager
def connected_to(app: Any, http: Any) -> Iterator[Connected]:
    with ServerThread(lambda port: uvicorn.Config(app, port=port, log_level="error", http=http, ws="none")) as server:
        yield Connected(server.port)


def test_head_is_get_without_the_body(connected: Connected) -> None:
    name = connected.ids()[0]
    described = json.loads(connected.ask("GET", "/openapi.json")[2])["paths"]
    assert not any("head" in methods for methods in described.values())
    slow = ("/v1/map", "/v1/map/sheet", "/v1/duplicates")  # 202 and later 200
    paths = [path for path, methods in described.items() if "get" in methods and path not in slow]
    assert len(paths) > 10
    for path in ("/", "/ui/app.js", "/openapi.json", *paths):
        path = path.replace("/models/{name}", "/models/fake").replace("{name}", name)
        got, head = connected.ask("GET", path), connected.ask("HEAD", path)
        assert (got[0], head[0]) == (200, 200), path
        assert head[2] == b"", path
        assert {"content-type", "content-length"} <= head[1].keys(), path
        if path not in ("/metrics", "/v1/library"):  # what these say differs from moment to moment
            assert head[1]["content-length"] == str(len(got[2])) == got[1]["content-length"], path
    assert {connected.ask("HEAD", path)[0] for path in slow} <= {200, 202, 404}
    assert connected.ask("HEAD", "/v1/embeddings")[0] == 405
    assert connected.ask("HEAD", "/v1/none")[0] == 404
    assert connected.ask("HEAD", "/v1/items/000000000000")[0] == 404


@pytest.mark.parametrize(
    ("byte_range", "status", "part"),
    [
        ("bytes=0-3", 206, slice(0, 4)),
        ("bytes=-4", 206, slice(-4, None)),
        ("bytes=4-", 206, slice(4, None)),
        ("items=0-3", 200, slice(None)),
        ("bytes=900000-", 416, None),
        ("bytes=5-2", 416, None),
        ("bytes=", 416, None),
        ("bytes=a-b", 416, None),
        ("bytes", 416, None),
    ],
)
def test_ranges(connected: Connected, tmp_path: Path, byte_range: str, status: int, part: slice | None) -> None:
    name = connected.ids()[0]
    whole = (tmp_path / "pictures" / "a" / "red-1.png").read_bytes()
    got = connected.ask("GET", f"/v1/items/{name}/file", f"Range: {byte_range}")
    assert got[0] == status
    if part is not None:
        assert got[2] == whole[part]
        return
    error = json.loads(got[2])["error"]
    assert (error["code"], error["type"]) == ("bad_range", "invalid_request_error")
    assert got[1]["content-range"] == f"bytes */{len(whole)}"
    assert got[1]["content-type"] == "application/json"
    assert "content-disposition" not in got[1]


def test_a_bad_range_of_the_pages_files_is_told_as_others_are(connected: Connected) -> None:
    for byte_range, status in (("bytes=9000000-", 416), ("bytes=5-2", 400)):
        got = connected.ask("GET", "/ui/app.js", f"Range: {byte_range}")
        assert got[0] == status
        assert json.loads(got[2])["error"]["code"] == {416: "bad_range", 400: "bad_request"}[status]


def test_two_hosts_are_none(connected: Connected) -> None:
    for second in ("evil.example", "127.0.0.1"):
        status, _, body = connected.ask("GET", "/v1/models", f"Host: {second}")
        assert status == 400
        if body.startswith(b"{"):  # one of uvicorn's protocols refuses it before the application hears of it
            assert "host was sent more than once" in json.loads(body)["error"]["message"]


def test_what_decides_is_sent_once(with_key: Connected) -> None:
    good = f"Authorization: Bearer {KEY}"
    assert with_key.ask("GET", "/v1/models", good)[0] == 200
    for twice in ((good, "Authorization: Bearer x"), (good, good), (good, "Origin: http://127.0.0.1", "Origin: null")):
        status, _, body = with_key.ask("GET", "/v1/models", *twice)
        assert (status, json.loads(body)["error"]["code"]) == (400, "bad_request")


def test_a_wrong_key_is_not_a_missing_one(with_key: Connected) -> None:
    for headers, code in (((), "key_required"), (("Cookie: seesay_session=x",), "key_required")):
        assert json.loads(with_key.ask("GET", "/v1/models", *headers)[2])["error"]["code"] == code
    for wrong in (f"Bearer {KEY}x", "Bearer", f"Basic {KEY}", ""):
        status, headers, body = with_key.ask("GET", "/v1/models", f"Authorization: {wrong}")
        assert (status, json.loads(body)["error"]["code"]) == (401, "wrong_key"), wrong
        assert headers["www-authenticate"] == "Bearer"
        assert KEY.encode() not in body
