"""The throughput of `seesay serve` under 64 clients, each sending its next request as soon as one is answered.

    python benchmarks/serve_load.py [--quick] [--json]

Peers: the simplest FastAPI handler over the same graphs, which encodes each request by itself (simple_server.py); and, where
SEESAY_INFINITY names its command, infinity-emb (torch on the CPU), which batches too. Every contender serves from a process of
its own, in turns; the clients share the machine's cores with it. Mixed: two requests in three are a text of four to twelve
words, the third a photo of some 480 pixels. Short texts: of four words. The random CLIP is a ViT-B/32 of full size, the same
weights for all, float32 unless stated otherwise. "The tower alone" is the text tower in batches of 64 with nothing around it;
"its products alone" is numpy (OpenBLAS) multiplying matrices of the shapes in its layers, and nothing else: about the limit of
these cores in float32.

Searches: 32 clients search in words in a library of 2,000 random vectors, no two queries alike, and get 50 hits each, the
default; in other turns they request embeddings of just the texts that such a search encodes: one for a sentence, four for up to
three words, its phrasings, in one request. So the library's part of a search is what is compared.

Goals: 1.5 times the requests of the simple handler, 4 times infinity's on short texts; none lost; constant memory; 0.8 times as
many searches as requests for the embeddings of their texts.
"""

import json
import os
import shlex
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from benchmark import Goal, Result, Table, run
from clients import Load, Report, load_of, photos_and_words, searches, short_texts
from query_latency import fill

import seesay
from seesay.library.search.background import search_spec
from seesay.models.families.clip_text.config import ClipTextConfig
from seesay.tasks.phrasing import phrasings

CLIENTS = 64
TURNS = 3
TURN_S = 20.0
QUICK_S = 3.0
WARM_UP_S = 3.0
OVER_SIMPLE = 1.5
OVER_INFINITY = 4.0
OVER_EMBEDDINGS = 0.8
SEARCHERS = 32
PHOTOS = 2000
HERE = Path(__file__).parent


@dataclass
class Server:
    """A contender's process, with its reports of load and its memory in megabytes after each turn."""

    process: "subprocess.Popen[bytes]"
    port: int
    path: str
    model: str
    reports: list[Report] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)

    def megabytes(self) -> float:
        """Resident memory now."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / 1024


def measure(quick: bool) -> Result:
    result = Result()
    seconds = QUICK_S if quick else TURN_S
    _compare(result, "mixed", "texts and photos, bundled model", photos_and_words(), None, seconds, infinity=False)
    _compare(result, "short", "short texts, bundled model", short_texts(), None, seconds, infinity=False)
    _search(result, seconds)
    with tempfile.TemporaryDirectory(prefix="seesay-bench-") as folder:
        import random_clip

        random_clip.make(Path(folder))
        title = "short texts, random ViT-B/32"
        _compare(result, "clip", title, short_texts(), Path(folder), seconds, infinity="SEESAY_INFINITY" in os.environ)
    if "SEESAY_INFINITY" not in os.environ:
        result.notes.append("infinity-emb was not compared: SEESAY_INFINITY does not name its command.")
    return result


def _compare(result: Result, key: str, title: str, load: Load, models: Path | None, seconds: float, *, infinity: bool) -> None:
    with _servers(models, infinity=infinity) as servers:
        for server in servers.values():
            load_of(load, server.port, server.path, server.model, CLIENTS, min(WARM_UP_S, seconds))
        for _ in range(TURNS):
            for server in servers.values():
                server.memory.append(server.megabytes())
                server.reports.append(load_of(load, server.port, server.path, server.model, CLIENTS, seconds))
        for server in servers.values():
            server.memory.append(server.megabytes())
    if load.texts:
        path = None if models is None else models / "float32"
        rate = _tower_alone(path, load, min(seconds, 5.0))
        result.figures[f"{key}, the tower alone"] = {"rate": round(rate, 1)}
    totals = {name: Report.joined(server.reports) for name, server in servers.items()}
    ours = totals["seesay"]
    rows: list[tuple[str, ...]] = []
    for name, total in totals.items():
        memory = servers[name].memory
        rows.append(
            (
                name,
                f"{total.rate:.0f}",
                f"{1e3 * total.quantile(0.5):.0f}",
                f"{1e3 * total.quantile(0.99):.0f}",
                str(total.lost),
                f"{memory[1]:.0f} to {memory[-1]:.0f}",
                f"{total.rate / ours.rate:.2f}",
            )
        )
        result.figures[f"{key}, {name}"] = total.to_json() | {"megabytes": [round(at, 1) for at in memory]}
    if load.texts:
        rows.append(("the tower alone", f"{rate:.0f}", "", "", "", "", f"{rate / ours.rate:.2f}"))
        if path is not None:
            products = _products_alone(path, load, min(seconds, 5.0))
            result.figures[f"{key}, its products alone"] = {"rate": round(products, 1)}
            rows.append(("its products alone", f"{products:.0f}", "", "", "", "", f"{products / ours.rate:.2f}"))
    header = ("server", "requests/s", "p50 ms", "p99 ms", "lost", "MB", "ratio")
    result.tables.append(Table(f"{CLIENTS} clients, {TURNS} x {seconds:.0f} s in turns, {title}", header, rows))
    limits = {"the simple handler": OVER_SIMPLE, "infinity-emb": OVER_INFINITY}
    for name, limit in limits.items():
        if name in totals:
            result.goals.append(
                Goal(f"{title}: {name}'s requests a second, times ours", totals[name].rate / ours.rate, 1 / limit)
            )
    result.goals.append(Goal(f"{title}: lost of ours", ours.lost, 0))
    memory = servers["seesay"].memory
    result.goals.append(Goal(f"{title}: our memory at the end, times that after the first turn", memory[-1] / memory[1], 1.1))


def _search(result: Result, seconds: float) -> None:
    """Searches in words, and embeddings of the texts that these encode, in turns."""
    model = seesay.load()
    loads = {"sentences of 4 to 7 words": searches((4, 7)), "1 to 3 words": searches((1, 3))}
    rows: list[tuple[str, ...]] = []
    with tempfile.TemporaryDirectory(prefix="seesay-bench-") as home:
        fill(Path(home) / "library", model, PHOTOS)
        with seesay.Library(Path(home) / "library", model) as library:
            library.search("a dog")
        command = [sys.executable, "-m", "seesay", "serve"]
        with _running({"seesay": (command, "", "bundled")}, Path(home) / "library") as servers:
            port = servers["seesay"].port
            for name, load in loads.items():
                texts = Load(
                    tuple(json.dumps(phrasings(json.loads(words), search_spec(model).templates)) for words in load.inputs)
                )
                turns = {
                    f"searches, {name}": (load, "/v1/search"),
                    f"their texts' embeddings, {name}": (texts, "/v1/embeddings"),
                }
                reports: dict[str, list[Report]] = {title: [] for title in turns}
                for turn in range(TURNS + 1):
                    for title, (each, path) in turns.items():
                        duration = seconds if turn else min(WARM_UP_S, seconds)
                        reports[title].append(load_of(each, port, path, "bundled", SEARCHERS, duration))
                with_search, embeddings = (Report.joined(turns_of[1:]) for turns_of in reports.values())
                texts_each = sum(len(json.loads(phrases)) for phrases in texts.inputs) / len(texts.inputs)
                for title, total in zip(turns, (with_search, embeddings), strict=True):
                    quantiles = (f"{1e3 * total.quantile(at):.0f}" for at in (0.5, 0.99))
                    ratio = f"{total.rate / embeddings.rate:.2f}"
                    rows.append(
                        (title, f"{total.rate:.0f}", f"{texts_each * total.rate:.0f}", *quantiles, str(total.lost), ratio)
                    )
                    result.figures[f"search, {title}"] = total.to_json() | {"texts_each": round(texts_each, 2)}
                what = f"embeddings of the texts of searches for {name}, times searches"
                result.goals.append(Goal(f"{what}, a second", embeddings.rate / with_search.rate, 1 / OVER_EMBEDDINGS))
                result.goals.append(Goal(f"searches for {name}: lost", with_search.lost, 0))
    header = ("requests", "a second", "texts a second", "p50 ms", "p99 ms", "lost", "ratio")
    result.tables.append(Table(f"{SEARCHERS} clients, {TURNS} x {seconds:.0f} s in turns, bundled model", header, rows))


def _tower_alone(path: Path | None, load: Load, seconds: float) -> float:
    """Texts a second, tokenized and encoded in batches of 64 in this process."""
    model, texts = seesay.load(path), load.all_texts()
    model.encode_text(texts[:64])
    done, begin = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - begin) < seconds:
        at = done % (len(texts) - 64)
        model.encode_text(texts[at : at + 64])
        done += 64
    return done / elapsed


def _products_alone(path: Path, load: Load, seconds: float) -> float:
    """Texts a second, if a CLIP's text tower were the matrix products of its layers."""
    model = seesay.load(path)
    config = model.config.text
    assert isinstance(config, ClipTextConfig)
    tokens = model.tokenizer(load.all_texts()[:64]).ids.size
    width, inner = config.width, config.mlp_width
    inputs = {side: np.ones((tokens, side), dtype=np.float32) for side in (width, inner)}
    shapes = [(width, 3 * width), (width, width), (width, inner), (inner, width)]  # attention in and out, MLP in and out
    weights = [np.ones(shape, dtype=np.float32) for shape in shapes]
    done, begin = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - begin) < seconds:
        for _ in range(config.depth):
            for weight in weights:
                inputs[len(weight)] @ weight
        done += 64
    return done / elapsed


@contextmanager
def _servers(models: Path | None, *, infinity: bool) -> Iterator[dict[str, Server]]:
    """All contenders, listening; each waits while others have their turn."""
    ours = [] if models is None else ["--model", str(models / "float32")]
    name = "bundled" if models is None else "random"
    commands = {
        "seesay": ([sys.executable, "-m", "seesay", "serve", *ours], "/v1/embeddings", name),
        "the simple handler": ([sys.executable, str(HERE / "simple_server.py"), *ours], "/v1/embeddings", name),
    }
    if models is not None:
        commands["seesay, weights in 8 bits"] = ([*commands["seesay"][0][:-1], str(models / "int8")], "/v1/embeddings", name)
    if infinity and models is not None:
        options = [
            "v2",
            "--model-id",
            str(models / "transformers"),
            "--engine",
            "torch",
            "--device",
            "cpu",
            "--no-bettertransformer",
        ]
        command = [
            *shlex.split(os.environ["SEESAY_INFINITY"]),
            *options,
            "--host",
            "127.0.0.1",
            "--served-model-name",
            "random",
        ]
        commands["infinity-emb"] = (command, "/embeddings", "random")
    with tempfile.TemporaryDirectory(prefix="seesay-bench-") as home, _running(commands, Path(home)) as servers:
        yield servers


@contextmanager
def _running(commands: dict[str, tuple[list[str], str, str]], library: Path) -> Iterator[dict[str, Server]]:
    """commands: each contender's, with the path of its embeddings and its model's name."""
    servers: dict[str, Server] = {}
    environment = os.environ | {"SEESAY_LIBRARY": str(library), "HF_HUB_OFFLINE": "1", "DO_NOT_TRACK": "1"}
    try:
        for contender, (command, path, model) in commands.items():
            port = _free_port()
            process = subprocess.Popen(
                [*command, "--port", str(port)], env=environment, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
            )
            servers[contender] = Server(process, port, path, model)
            _await(servers[contender], contender)
        yield servers
    finally:
        for server in servers.values():
            server.process.terminate()
        for server in servers.values():
            server.process.wait()


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def _await(server: Server, name: str) -> None:
    for _ in range(1200):
        if server.process.poll() is not None:
            raise SystemExit(f"{name} ended before it answered")
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/openapi.json", timeout=1):
                return
        except OSError:
            time.sleep(0.1)
    raise SystemExit(f"{name} does not answer")


if __name__ == "__main__":
    run("serve_load", __doc__ or "", measure)
