"""A server under load, searches among embeddings, pictures and pages: every request is answered, and memory stays.

16 clients for 4 seconds; with --soak 64 for two minutes (`make soak`).
"""

import base64
import http.client
import json
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.conftest import PHOTOS

WORDS = ("dog", "cat", "a child on the beach", "two boats", "red", "狗", "雪地里的马", "an old car in the street", "flowers")
SLACK = 1.25  # memory at the end, times that after warming up

Request = tuple[str, str, bytes | None]


def requests(rng: random.Random) -> Request:
    """One of what people and programs ask for; searches most of all."""
    words, photos = f"{rng.choice(WORDS)} {rng.randrange(1000)}", sorted(PHOTOS.rglob("*.jpg"))
    photo = base64.b64encode(rng.choice(photos).read_bytes()).decode()
    way = rng.randrange(10)
    if way < 4:
        return "POST", "/v1/search", json.dumps({"query": rng.choice((words, f"{words} - dog"))}).encode()
    if way < 7:
        return "POST", "/v1/embeddings", json.dumps({"input": [words] * rng.randint(1, 4)}).encode()
    if way == 7:
        return "POST", "/v1/embeddings", json.dumps({"input": [{"image": photo}]}).encode()
    if way == 8:
        return "POST", "/v1/search", json.dumps({"query": words, "n": 100, "filters": {"min_score": -1.0}}).encode()
    return "GET", rng.choice(("/", "/v1/library", "/healthz", "/metrics")), None


class Client(threading.Thread):
    """Keeps its connection and asks again as soon as it is answered."""

    def __init__(self, port: int, seed: int, until: float) -> None:
        super().__init__()
        self.port, self.random, self.until = port, random.Random(seed), until
        self.answers: Counter[tuple[str, int]] = Counter()
        self.fault: Exception | None = None

    def run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            while time.monotonic() < self.until:
                method, path, body = requests(self.random)
                connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
                answer = connection.getresponse()
                text = answer.read()
                self.answers[path, answer.status] += 1
                if answer.status == 200 and path.startswith("/v1/search"):
                    assert json.loads(text)["results"]
        except Exception as fault:  # the test's own thread raises it again
            self.fault = fault
        finally:
            connection.close()


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
def test_nothing_is_lost_under_load(tmp_path: Path, soak: bool) -> None:
    clients, seconds = (64, 120.0) if soak else (16, 4.0)
    seesay, library = [sys.executable, "-m", "seesay"], ["--library", str(tmp_path / "library")]
    subprocess.run([*seesay, "index", str(PHOTOS), *library], check=True, capture_output=True)
    log = tmp_path / "log"
    with log.open("w") as stream:
        process = subprocess.Popen([*seesay, "serve", "--port", "0", *library], stderr=stream)
    try:
        port = _port(log)
        _load(port, clients, max(3.0, seconds / 6))
        before = _megabytes(process.pid)
        answers = _load(port, clients, seconds)
        after = _megabytes(process.pid)
    finally:
        process.terminate()
        process.wait(30)
    statuses = Counter[int]()
    for (_, status), count in answers.items():
        statuses[status] += count
    print(f"{sum(statuses.values())} answers: {dict(answers)}; {before:.0f} to {after:.0f} MB")
    assert set(statuses) == {200}
    assert after < SLACK * before
    assert not [line for line in log.read_text().splitlines() if '"error"' in line or "Traceback" in line]


def _load(port: int, clients: int, seconds: float) -> Counter[tuple[str, int]]:
    until = time.monotonic() + seconds
    running = [Client(port, seed, until) for seed in range(clients)]
    for client in running:
        client.start()
    for client in running:
        client.join()
    for client in running:
        if client.fault is not None:
            raise client.fault
    answers = Counter[tuple[str, int]]()
    for client in running:
        answers.update(client.answers)
    return answers


def _port(log: Path) -> int:
    for _ in range(600):
        first = log.read_text().partition("\n")[0]
        if "serving at http://" in first:
            return int(first.split()[3].rstrip("/").rpartition(":")[2])
        time.sleep(0.05)
    raise AssertionError(log.read_text())


def _megabytes(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / 1024
