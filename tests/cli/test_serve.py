"""`seesay serve` as a process: it starts, answers, logs, and ends as it should."""

import base64
import io
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest
from PIL import Image

from tests.conftest import Paint

Start = Callable[..., tuple[subprocess.Popen[str], str]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """start(*arguments) -> the process and the address that it says it serves at."""
    processes: list[subprocess.Popen[str]] = []

    def run(*arguments: str, **environment: str) -> tuple[subprocess.Popen[str], str]:
        command = [sys.executable, "-m", "seesay", "serve", "--port", "0", "--library", str(tmp_path / "library"), *arguments]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=os.environ | environment)
        processes.append(process)
        assert process.stderr is not None
        line = process.stderr.readline()
        assert line.startswith("seesay: serving at http://"), line
        return process, line.split()[3]

    yield run
    for process in processes:
        process.kill()
        process.communicate()


def answers(address: str) -> None:
    for _ in range(200):
        try:
            if httpx2.get(f"{address}/healthz").status_code == 200:
                return
        except httpx2.TransportError:
            time.sleep(0.05)
    raise AssertionError("it does not answer")


def test_folders_are_indexed_while_it_serves_and_it_ends_gracefully(start: Start, paint: Paint, tmp_path: Path) -> None:
    for number in range(3):
        paint(f"red-{number}.png", "red")
    process, address = start(str(tmp_path / "pictures"), SEESAY_CACHE=str(tmp_path / "cache"))
    answers(address)
    for _ in range(400):
        told = httpx2.get(f"{address}/v1/library").json()
        if not told["indexing"]["running"] and told["pictures"] == 3:
            break
        time.sleep(0.05)
    assert told["indexing"]["last"]["added"] == 3
    found = httpx2.post(f"{address}/v1/search", json={"query": "something secret"}).json()["results"]
    assert len(found) == 3
    assert httpx2.get(f"{address}/v1/items/{found[0]['id']}/thumbnail").status_code == 200
    assert list((tmp_path / "cache" / "thumbnails").iterdir())
    process.send_signal(signal.SIGTERM)
    _, log = process.communicate(timeout=30)
    lines = [json.loads(line) for line in log.splitlines()]
    assert {line["event"] for line in lines} >= {"indexed", "request"}
    searched = next(line for line in lines if line.get("route") == "/v1/search")
    assert (searched["method"], searched["status"], searched["level"]) == ("POST", 200, "info")
    assert "secret" not in log
    assert str(tmp_path) not in log
    assert process.returncode in (0, -signal.SIGTERM, 143)


def test_a_request_under_way_is_answered_before_it_ends(start: Start) -> None:
    process, address = start()
    answers(address)
    body = b'{"input": "a dog on grass"}'
    head = "POST /v1/embeddings HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    head += f"Content-Length: {len(body)}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", int(address.rpartition(":")[2]))) as client:
        client.sendall(head.encode() + body[:10])
        time.sleep(0.3)
        process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        client.sendall(body[10:])
        client.settimeout(20)
        assert client.recv(65536).startswith(b"HTTP/1.1 200")
    process.communicate(timeout=30)


def test_all_that_is_logged_is_lines_of_json(start: Start) -> None:
    process, address = start()
    answers(address)
    with socket.create_connection(("127.0.0.1", int(address.rpartition(":")[2]))) as client:
        client.sendall(b"nonsense\r\n\r\n")
        client.settimeout(20)
        assert client.recv(65536).startswith(b"HTTP/1.1 400")
    process.send_signal(signal.SIGTERM)
    _, log = process.communicate(timeout=30)
    lines = [json.loads(line) for line in log.splitlines()]
    assert any(line["level"] == "warning" and "Invalid HTTP request" in line["event"] for line in lines)


def damaged_tiffs() -> Iterator[str]:
    """About whose pixels libtiff complains itself."""
    chance = random.Random(1)
    stream = io.BytesIO()
    Image.linear_gradient("L").convert("RGB").resize((300, 300)).save(stream, "TIFF", compression="tiff_lzw")
    for _ in range(20):
        damaged = bytearray(stream.getvalue())
        for _ in range(30):
            damaged[chance.randrange(200, len(damaged) - 200)] = chance.randrange(256)
        yield base64.b64encode(damaged).decode()


def test_what_native_libraries_say_does_not_tear_the_log(start: Start) -> None:
    process, address = start()
    answers(address)
    items = [{"image": picture} for picture in damaged_tiffs()]
    assert httpx2.post(f"{address}/v1/embeddings", json={"input": [*items, "a dog"]}, timeout=30).status_code == 200
    process.send_signal(signal.SIGTERM)
    _, log = process.communicate(timeout=30)
    events = [json.loads(line)["event"] for line in log.splitlines()]
    assert "request" in events


TORN = """
import os, sys, threading
from seesay.serving.log import event, to_stderr

def native(piece):
    for _ in range(2000):
        os.write(2, piece)

with to_stderr():
    threads = [threading.Thread(target=native, args=(piece,)) for piece in (b"half a line", b" and its end\\n", b"\\xff")]
    for thread in threads:
        thread.start()
    for number in range(2000):
        event("request", number=number)
    for thread in threads:
        thread.join()
    print("from Python", file=sys.stderr)
    os.write(2, b"the last, without an end")
print("after it", file=sys.stderr)
"""


def test_lines_of_the_log_are_never_torn() -> None:
    done = subprocess.run([sys.executable, "-c", TORN], capture_output=True, timeout=60, check=True)
    *lines, last = done.stderr.decode().splitlines()
    assert last == "after it"
    told = [json.loads(line) for line in lines]
    assert [line["number"] for line in told if line["event"] == "request"] == list(range(2000))
    texts = [line["text"] for line in told if line["event"] == "stderr"]
    assert "".join(texts).count("half a line") > 1900  # a line that is too long is cut anywhere
    assert "from Python" in "".join(texts)
    assert texts[-1].endswith("the last, without an end")


def test_a_crash_is_told(tmp_path: Path) -> None:
    script = "import ctypes\nfrom seesay.serving.log import to_stderr\nwith to_stderr():\n    ctypes.string_at(0)\n"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert done.returncode != 0
    assert "Fatal Python error: Segmentation fault" in done.stderr


def run(*arguments: str, **environment: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "seesay", "serve", *arguments], capture_output=True, text=True, env=os.environ | environment
    )
    return done.returncode, done.stderr


def test_wrong_starts_are_explained(tmp_path: Path) -> None:
    code, said = run("--host", "0.0.0.0")
    assert code == 2
    assert "takes a key: set SEESAY_API_KEY" in said
    code, said = run("--host", "0.0.0.0", SEESAY_API_KEY="short")
    assert (code, "too easily guessed" in said) == (2, True)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        code, said = run("--port", str(taken.getsockname()[1]))
        assert code == 2
        assert "Choose another --port" in said
    code, said = run(str(tmp_path / "none"))
    assert (code, "none" in said, "Traceback" in said) == (2, True, False)
