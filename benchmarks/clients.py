"""Clients of a server in a separate process: each keeps its connection and sends its next request when one is answered.

Bare HTTP/1.1 on sockets: a client library would take more of the cores than some of the servers do.
"""

import asyncio
import base64
import itertools
import json
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

PHOTOS = Path(__file__).parent.parent / "examples" / "photos"
WORDS = [
    "a",
    "the",
    "dog",
    "cat",
    "child",
    "man",
    "woman",
    "two",
    "runs",
    "sits",
    "plays",
    "on",
    "in",
    "with",
    "grass",
    "snow",
    "beach",
    "street",
    "red",
    "blue",
    "small",
    "water",
    "ball",
    "tree",
]


@dataclass(frozen=True)
class Load:
    """inputs: what requests ask for, as JSON, each again only when all others were; texts: whether they are texts only;
    search: whether they are looked for in the server's library, and not encoded."""

    inputs: tuple[str, ...]
    texts: bool = False
    search: bool = False

    def all_texts(self) -> list[str]:
        """Whether a load consists of texts only."""
        return [text for said in self.inputs for text in json.loads(said)]


@dataclass(frozen=True)
class Report:
    """seconds: of each answered request; lost: number of requests without an answer of status 200."""

    seconds: list[float]
    lost: int
    taken: float

    @property
    def rate(self) -> float:
        return len(self.seconds) / self.taken

    def quantile(self, at: float) -> float:
        return statistics.quantiles(self.seconds, n=1000, method="inclusive")[round(at * 1000) - 1]

    def to_json(self) -> dict[str, float]:
        told = {"rate": self.rate, "p50_ms": 1e3 * self.quantile(0.5), "p99_ms": 1e3 * self.quantile(0.99), "lost": self.lost}
        return {name: round(value, 2) for name, value in told.items()}

    @staticmethod
    def joined(reports: "Sequence[Report]") -> "Report":
        seconds = [one for report in reports for one in report.seconds]
        return Report(seconds, sum(report.lost for report in reports), sum(report.taken for report in reports))


def short_texts() -> Load:
    return Load(tuple(json.dumps([" ".join(random.Random(seed).choices(WORDS, k=4))]) for seed in range(500)), texts=True)


def photos_and_words() -> Load:
    """A load of two texts for each photo."""
    photos = sorted(PHOTOS.rglob("*.jpg"))
    pictures = [json.dumps([{"image": base64.b64encode(photo.read_bytes()).decode()}]) for photo in photos]
    draw = random.Random(0)
    texts = [json.dumps([" ".join(draw.choices(WORDS, k=draw.randint(4, 12)))]) for _ in range(2 * len(pictures))]
    return Load((*pictures, *texts))


def searches(words: tuple[int, int]) -> Load:
    """20,000 different queries, with a number of words between two bounds."""
    draw = random.Random(0)
    made = dict.fromkeys(" ".join(draw.choices(WORDS, k=draw.randint(*words))) for _ in range(40_000))
    return Load(tuple(map(json.dumps, list(made)[:20_000])), search=True)


def load_of(load: Load, port: int, path: str, model: str, clients: int, seconds: float) -> Report:
    """Runs a number of clients for a time."""
    bodies = [f'{{"query":{said}}}' if load.search else f'{{"model":"{model}","input":{said}}}' for said in load.inputs]
    random.Random(0).shuffle(bodies)
    sign = '"results"' if load.search else '"embedding"'
    task = {"bodies": bodies, "port": port, "path": path, "sign": sign, "clients": clients, "seconds": seconds}
    done = subprocess.run(
        [sys.executable, __file__], input=json.dumps(task), stdout=subprocess.PIPE, encoding="utf-8", check=True
    )
    return Report(**json.loads(done.stdout))


async def _client(requests: Iterator[bytes], port: int, sign: bytes, until: float, report: Report) -> int:
    """How many were lost: whose answer does not hold the sign."""
    lost = 0
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while (begin := time.perf_counter()) < until:
        try:
            writer.write(next(requests))
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0])
            body = await reader.readexactly(length)
            fine = head.startswith(b"HTTP/1.1 200") and sign in body
        except (OSError, asyncio.IncompleteReadError, ValueError):
            fine = False
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        if fine:
            report.seconds.append(time.perf_counter() - begin)
        else:
            lost += 1
    writer.close()
    return lost


async def _clients(bodies: Sequence[str], port: int, path: str, sign: str, clients: int, seconds: float) -> Report:
    requests = []
    for body in map(str.encode, bodies):
        head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
        head += f"Content-Length: {len(body)}\r\n\r\n"
        requests.append(head.encode() + body)
    report, begin = Report([], 0, 0.0), time.perf_counter()
    endless = itertools.cycle(requests)
    many = [_client(endless, port, sign.encode(), begin + seconds, report) for _ in range(clients)]
    lost = sum(await asyncio.gather(*many))
    return Report(report.seconds, lost, time.perf_counter() - begin)


if __name__ == "__main__":
    json.dump(asdict(asyncio.run(_clients(**json.load(sys.stdin)))), sys.stdout)
