"""Heads of requests have limits of size and time, over real connections."""

import asyncio
import json
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from seesay.serving.guard import peers
from seesay.serving.guard.heads import BoundedProtocol
from seesay.serving.limits import HEAD_ARRIVES_S, HEAD_BYTES, KEEP_ALIVE_S, REFUSED_LINGER_BYTES
from seesay.serving.listening import uvicorn_config
from tests.serving.conftest import ServerThread


class H11(BoundedProtocol, H11Protocol):
    pass


class HttpTools(BoundedProtocol, HttpToolsProtocol):
    pass


PROTOCOLS = {"h11": H11, "httptools": HttpTools}

MOST_HELD = 10_000_000  # by the sockets of both sides
HEAD = b"POST / HTTP/1.1\r\nHost: localhost\r\n"


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Answers with the length of the body, or at once where the path says so."""
    length, more = 0, scope["path"] != "/at-once"
    if scope["path"] == "/slow":
        await asyncio.sleep(1.5)
    while more:
        message = await receive()
        length, more = length + len(message.get("body", b"")), message.get("more_body", False)
    answer = str(length).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", str(len(answer)).encode())]})
    await send({"type": "http.response.body", "body": answer})


@pytest.fixture(params=PROTOCOLS)
def port(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[int]:
    """Of a server that waits half a second for a head, and holds eight connections."""
    monkeypatch.setattr("seesay.serving.limits.HEAD_ARRIVES_S", 0.5)
    monkeypatch.setattr(BoundedProtocol, "most_connections", 8)
    bounds: dict[str, Any] = {"http": PROTOCOLS[request.param], "limit_concurrency": 9, "timeout_keep_alive": 2}
    with ServerThread(lambda port: uvicorn_config(app, port=port, host="0.0.0.0", lifespan="off", **bounds)) as server:
        yield server.port


@pytest.fixture
def connection(port: int) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.settimeout(10)
        yield connection


def ended(connection: socket.socket) -> bytes:
    """What came until the server hung up."""
    answer = b""
    try:
        while piece := connection.recv(65536):
            answer += piece
    except ConnectionError:
        pass
    return answer


def read_until(connection: socket.socket, end: bytes) -> None:
    """Reads an answer, in however many pieces it comes; fails when nothing more comes for ten seconds."""
    answer = b""
    while not answer.endswith(end):
        piece = connection.recv(65536)
        assert piece, f"the server hung up after {answer!r}"
        answer += piece


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
    assert (HEAD_ARRIVES_S, HEAD_BYTES) == (15, 65536)
    assert ended(connection) == b""


def test_a_head_that_trickles_in_ends(connection: socket.socket) -> None:
    begin = time.monotonic()
    connection.sendall(HEAD + b"X-A: ")
    trickle(connection, b"a", 5)
    assert ended(connection) == b""
    assert time.monotonic() - begin < 4


def test_a_second_head_that_trickles_in_ends(connection: socket.socket) -> None:
    connection.sendall(HEAD + b"Content-Length: 2\r\n\r\nab" + HEAD)
    read_until(connection, b"2")
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
    read_until(connection, b"30")
    connection.sendall(HEAD + b"Content-Length: 3000000\r\n\r\n" + b"a" * 3_000_000)
    read_until(connection, b"3000000")
    pieces = b"".join(b"%x\r\n%s\r\n" % (100, b"a" * 100) for _ in range(5000))
    connection.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + pieces + b"0\r\n\r\n")
    read_until(connection, b"500000")


def test_an_idle_connection_is_kept(connection: socket.socket) -> None:
    for _ in range(2):
        connection.sendall(HEAD + b"Content-Length: 0\r\n\r\n")
        assert connection.recv(65536).startswith(b"HTTP/1.1 200")
        time.sleep(0.8)


def test_an_ordinary_head_passes(connection: socket.socket) -> None:
    connection.sendall(HEAD + b"Cookie: " + b"a" * 16_000 + b"\r\nContent-Length: 0\r\n\r\n")
    assert connection.recv(65536).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("where", ["header", "headers", "path"])
def test_a_head_over_64_kb_is_always_431(port: int, where: str) -> None:
    """Whether it has an end or not, and however it comes; and the answer arrives."""
    for size in (65_000, 65_700, 70_000, 100_000, 300_000, 1_000_000):
        lines = {
            "header": b"X-A: " + b"a" * size,
            "headers": b"\r\n".join(b"X-%d: " % at + b"a" * 90 for at in range(size // 98)),
            "path": b"X-A: a",
        }[where]
        path = b"/at-once?" + b"a" * size if where == "path" else b"/at-once"
        whole = b"GET " + path + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" + lines + b"\r\n\r\n"
        for piece in (len(whole), 30_000):
            with socket.create_connection(("127.0.0.1", port)) as connection:
                connection.settimeout(10)
                for at in range(0, len(whole), piece):
                    connection.sendall(whole[at : at + piece])
                    time.sleep(0.002)
                status, _, body = ended(connection).partition(b"\r\n\r\n")
            if len(whole) <= HEAD_BYTES:
                assert status.startswith(b"HTTP/1.1 200"), size
                continue
            assert status.startswith(b"HTTP/1.1 431 Request Header Fields Too Large\r\n"), (size, piece)
            assert json.loads(body)["error"]["code"] == "too_large"


def test_a_second_head_over_64_kb_is_431_too(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.settimeout(10)
        connection.sendall(HEAD + b"Content-Length: 2\r\n\r\nab")
        read_until(connection, b"2")
        connection.sendall(HEAD + b"X-A: " + b"a" * 200_000 + b"\r\n\r\n")
        assert ended(connection).startswith(b"HTTP/1.1 431")


def test_after_a_refusal_nothing_is_held(connection: socket.socket) -> None:
    connection.sendall(HEAD + b"X-A: ")
    begin = time.monotonic()
    assert flood(connection, b"a" * 65_536) < MOST_HELD + REFUSED_LINGER_BYTES
    assert time.monotonic() - begin < 8


class Held:
    """Connections from one address of this machine, on which nothing is sent."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.open: list[socket.socket] = []

    def add(self, address: str, sent: bytes = b"") -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", self.port), source_address=(address, 0))
        connection.settimeout(5)
        connection.sendall(sent)
        self.open.append(connection)
        time.sleep(0.05)  # the next is younger
        return connection


@pytest.fixture
def held(port: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[Held]:
    monkeypatch.setattr("seesay.serving.limits.HEAD_ARRIVES_S", 15)
    connections = Held(port)
    yield connections
    for each in connections.open:
        each.close()


def is_open(connection: socket.socket) -> bool:
    connection.settimeout(0.1)
    try:
        return connection.recv(1) != b""
    except TimeoutError:
        return True
    except ConnectionError:
        return False


AT_ONCE = b"GET /at-once HTTP/1.1\r\nHost: localhost\r\n\r\n"
SLOW = AT_ONCE.replace(b"at-once", b"slow")


def answered(connection: socket.socket) -> bytes:
    connection.settimeout(5)
    return connection.recv(65536)[:12]


def test_connections_that_do_nothing_give_way_to_the_clients_own(held: Held) -> None:
    """A client has a quarter of the eight places."""
    first, second, third = (held.add("127.0.0.2") for _ in range(3))
    assert [is_open(each) for each in (first, second, third)] == [False, True, True]
    other = held.add("127.0.0.3", AT_ONCE)
    assert answered(other) == b"HTTP/1.1 200"
    assert is_open(second)


def test_connections_that_do_nothing_starve_nobody(held: Held) -> None:
    for last in range(2, 12):
        for _ in range(3):
            held.add(f"127.0.0.{last}")
    assert sum(map(is_open, held.open)) <= 8
    assert answered(held.add("127.0.0.77", AT_ONCE)) == b"HTTP/1.1 200"


def test_a_request_that_is_answered_is_not_cut(held: Held) -> None:
    slow = held.add("127.0.0.2", SLOW)
    for _ in range(4):
        held.add("127.0.0.2")
    for last in range(3, 12):
        held.add(f"127.0.0.{last}")
    assert answered(slow) == b"HTTP/1.1 200"


def test_a_client_with_nothing_but_requests_waits(held: Held) -> None:
    slow = [held.add("127.0.0.2", SLOW) for _ in range(2)]
    more = held.add("127.0.0.2", AT_ONCE)
    answer = ended(more)
    assert answer.startswith(b"HTTP/1.1 429")
    assert b"Retry-After: 1" in answer
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"]["code"] == "busy"
    assert answered(held.add("127.0.0.3", AT_ONCE)) == b"HTTP/1.1 200"
    assert [answered(each) for each in slow] == [b"HTTP/1.1 200"] * 2


def test_connections_are_kept_for_a_while(connection: socket.socket) -> None:
    assert KEEP_ALIVE_S == 30
    connection.sendall(AT_ONCE)
    assert answered(connection) == b"HTTP/1.1 200"
    begin = time.monotonic()
    ended(connection)
    assert 1 < time.monotonic() - begin < 5


@pytest.mark.parametrize(
    ("client", "whose"),
    [
        (("192.0.2.7", 5), "192.0.2.7"),
        (("::ffff:192.0.2.7", 5), "192.0.2.7"),
        (("2001:db8:1:2:3:4:5:6", 5), "2001:db8:1:2::/64"),
        (("fe80::1%eth0", 5), "fe80::/64"),
        (("/run/socket", 0), "/run/socket"),
        (None, ""),
    ],
)
def test_whose_a_connection_is(client: tuple[str, int] | None, whose: str) -> None:
    assert peers.peer(client) == whose


def test_no_more_connections_than_the_process_may_open(monkeypatch: pytest.MonkeyPatch) -> None:
    resource = pytest.importorskip("resource")
    for files, expected in ((1024, 768), (1_048_576, 1000), (resource.RLIM_INFINITY, 1000), (100, 64)):
        monkeypatch.setattr(resource, "getrlimit", lambda _, files=files: (files, files))
        assert peers.most_connections() == expected


def test_a_server_may_open_as_many_files_as_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    resource = pytest.importorskip("resource")
    limits = (256, resource.RLIM_INFINITY)
    monkeypatch.setattr(resource, "getrlimit", lambda _: limits)

    def put(_: int, pair: tuple[int, int]) -> None:
        nonlocal limits
        limits = pair

    monkeypatch.setattr(resource, "setrlimit", put)
    uvicorn_config(app)
    assert limits == (1256, resource.RLIM_INFINITY)
    assert peers.most_connections() == 1000
    limits = (256, 512)
    uvicorn_config(app)
    assert (limits, peers.most_connections()) == ((512, 512), 256)
