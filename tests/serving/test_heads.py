"""Heads of requests have limits of size and time, over real connections."""

import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn

from seesay.serving.heads import ARRIVES_S, MOST_BYTES, BoundedHeads

MOST_HELD = 10_000_000  # by the sockets of both sides
HEAD = b"POST / HTTP/1.1\r\nHost: localhost\r\n"


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Answers with the length of the body, or at once where the path says so."""
    length, more = 0, scope["path"] != "/at-once"
    while more:
        message = await receive()
        length, more = length + len(message.get("body", b"")), message.get("more_body", False)
    said = str(length).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", str(len(said)).encode())]})
    await send({"type": "http.response.body", "body": said})


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Of a server that waits half a second for a head."""
    monkeypatch.setattr("seesay.serving.heads.ARRIVES_S", 0.5)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="critical", lifespan="off", http=BoundedHeads, ws="none"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    thread.join()


@pytest.fixture
def connection(port: int) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.settimeout(10)
        yield connection


def ended(connection: socket.socket) -> bytes:
    """What came until the server hung up."""
    said = b""
    try:
        while piece := connection.recv(65536):
            said += piece
    except ConnectionError:
        pass
    return said


def trickle(connection: socket.socket, piece: bytes, seconds: float) -> None:
    until = time.monotonic() + seconds
    try:
        while time.monotonic() < until:
            connection.sendall(piece)
            time.sleep(0.05)
    except ConnectionError:
        pass


def flood(connection: socket.socket, piece: bytes) -> int:
    """How many bytes of it could be sent."""
    sent = 0
    try:
        while sent < 2 * MOST_HELD:
            connection.sendall(piece)
            sent += len(piece)
    except ConnectionError:
        pass
    return sent


def test_a_connection_on_which_nothing_is_sent_ends(connection: socket.socket) -> None:
    assert (ARRIVES_S, MOST_BYTES) == (15, 65536)
    assert ended(connection) == b""


def test_a_head_that_trickles_in_ends(connection: socket.socket) -> None:
    begin = time.monotonic()
    connection.sendall(HEAD + b"X-A: ")
    trickle(connection, b"a", 5)
    assert ended(connection) == b""
    assert time.monotonic() - begin < 4


def test_a_second_head_that_trickles_in_ends(connection: socket.socket) -> None:
    connection.sendall(HEAD + b"Content-Length: 2\r\n\r\nab" + HEAD)
    assert connection.recv(65536).endswith(b"2")
    begin = time.monotonic()
    trickle(connection, b"a", 5)
    assert ended(connection) == b""
    assert time.monotonic() - begin < 4


@pytest.mark.parametrize("start", [b"GET /", HEAD + b"X-A: ", HEAD])
def test_a_head_without_an_end_is_not_held(connection: socket.socket, start: bytes) -> None:
    line = b"X-B: " + b"b" * 1000 + b"\r\n" if start == HEAD else b"a" * 1000
    connection.sendall(start)
    assert flood(connection, line) < MOST_HELD
    assert ended(connection)[:12] in (b"HTTP/1.1 431", b"HTTP/1.1 400", b"")  # a reset may take it away


def test_what_follows_a_body_without_an_end_is_not_held(connection: socket.socket) -> None:
    connection.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\nX-A: ")
    assert flood(connection, b"a" * 1000) < MOST_HELD


def test_bodies_of_any_size_and_pace_pass(connection: socket.socket) -> None:
    connection.sendall(HEAD + b"Content-Length: 30\r\n\r\n")
    for _ in range(10):
        time.sleep(0.08)
        connection.sendall(b"abc")
    assert connection.recv(65536).endswith(b"30")
    connection.sendall(HEAD + b"Content-Length: 3000000\r\n\r\n" + b"a" * 3_000_000)
    assert connection.recv(65536).endswith(b"3000000")
    pieces = b"".join(b"%x\r\n%s\r\n" % (100, b"a" * 100) for _ in range(5000))
    connection.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + pieces + b"0\r\n\r\n")
    assert connection.recv(65536).endswith(b"500000")


def test_an_idle_connection_is_kept(connection: socket.socket) -> None:
    for _ in range(2):
        connection.sendall(HEAD + b"Content-Length: 0\r\n\r\n")
        assert connection.recv(65536).startswith(b"HTTP/1.1 200")
        time.sleep(0.8)


def test_an_ordinary_head_passes(connection: socket.socket) -> None:
    connection.sendall(HEAD + b"Cookie: " + b"a" * 16_000 + b"\r\nContent-Length: 0\r\n\r\n")
    assert connection.recv(65536).startswith(b"HTTP/1.1 200")
