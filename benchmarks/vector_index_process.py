"""Builds one index of made vectors, or searches it, in a process of its own, so that its time and memory are its own.

    python benchmarks/vector_index_process.py build|search INDEX SIZE FOLDER [SECONDS]

Prints one JSON object. A build that takes longer than SECONDS stops after it has kept what is done, and goes on when it is
called again. `vector_indexes.py` calls this.
"""

import json
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from seesay.library.search.background import Correction
from seesay.library.search.pool import COUNTS, TRUSTED, Pool
from seesay.library.search.ranking import FEW
from seesay.library.vectors import graph, milvus
from seesay.library.vectors.approximate import ApproximateView, Finder, Reach
from seesay.library.vectors.index import VectorRow
from seesay.library.vectors.matrix import Matrix
from seesay.library.vectors.view import ArrayView
from seesay.models.vectors import top_k

DIM = 512
K = 10
SHARES = {"1 %": 100, "10 %": 10, "50 %": 2}  # every so many-th row passes a filter
MANY, FEWER = 500_000, 10  # of more vectors, only every tenth query is searched for exactly
KINDS = ("words", "captions", "pictures")  # of queries, as many of each, in this order
WANTED = 32  # of the highest ranks that have to be right, as in a search for ten hits


class Stopped(Exception):
    """The time for building is over."""


def main() -> None:
    what, index, size, folder = sys.argv[1], sys.argv[2], int(sys.argv[3]), Path(sys.argv[4])
    place = folder / f"{index}-{size}"
    if what == "build":
        print(json.dumps(build(index, size, folder, place, float(sys.argv[5]))))
    else:
        print(json.dumps(search(index, size, folder, place)))


def made(folder: Path, size: int) -> ArrayView:
    """The made vectors, float16, from a file."""
    return ArrayView(np.arange(1, size + 1), np.memmap(folder / "made.f16", dtype=np.float16, mode="r", shape=(size, DIM)))


def finder_of(index: str, place: Path) -> Finder:
    if index == "milvus":
        return milvus.Milvus(place, DIM, str(place / "lite.db"))
    return graph.Graphs(place, DIM, "f16" if index.endswith("f16") else "i8")


def build(index: str, size: int, folder: Path, place: Path, seconds: float) -> dict[str, Any]:
    """Builds with one thread, or goes on with it; the times of all parts are added up in a file."""
    place.mkdir(exist_ok=True)
    file = place / "build.json"
    before = json.loads(file.read_text()) if file.exists() else {"rows": 0, "clock_s": 0.0, "processor_s": 0.0}
    if before["rows"] == size:
        return before
    graph.available_cores, graph.SAVE_S = lambda: 1, 120.0  # type: ignore[attr-defined]
    clock, processor, rows = time.monotonic(), time.process_time(), made(folder, size)

    def write(done: int) -> dict[str, Any]:
        now = {"clock_s": before["clock_s"] + time.monotonic() - clock, "rows": done}
        now["processor_s"] = before["processor_s"] + time.process_time() - processor
        file.write_text(json.dumps(now))
        return now

    if index == "exact":
        vectors = (VectorRow(at + 1, "image", rows.vectors[at].astype("<f4").tobytes()) for at in range(size))
        Matrix(place, DIM).replace_all(vectors, size)
        return write(size)
    finder = finder_of(index, place)
    kept = finder.reach("image")

    def progress(done: int, total: int) -> None:
        if finder.reach("image").rows > kept.rows and time.monotonic() - clock > seconds:
            raise Stopped

    with suppress(Stopped):
        finder.extend("image", rows, Reach(0, kept.last_id, kept.rows), progress)
    return write(finder.reach("image").rows)


def search(index: str, size: int, folder: Path, place: Path) -> dict[str, Any]:
    """Recall of the ten nearest, time of one thread, and memory, of all queries with and without filters."""
    empty = status()
    matrix = Matrix(folder / f"exact-{size}", DIM)
    rows = matrix.view("image", matrix.state())
    assert rows is not None
    view: ArrayView | ApproximateView = rows
    if index != "exact":
        finder = finder_of(index, place)
        view = ApproximateView(rows, "image", finder.reach("image").generation, finder)
    with np.load(folder / f"truth-{size}.npz") as stored:
        truth = {name: stored[name] for name in stored.files}
    if index == "exact" and size > MANY:
        truth |= {name: truth[name][::FEWER] for name in ("queries", "all", *SHARES)}
    queries = truth["queries"]
    found: dict[str, Any] = {"memory_mb": {}, "recall": {}, "ms": {}, "clock_ms": {}, "exact": {}}

    def find(query: np.ndarray) -> Found:
        return exactly(rows, query) if index == "exact" else approximately(view, query)

    record(found, "none", queries, truth["all"], find)
    found["memory_mb"] = {name: round(value - empty[name]) for name, value in status().items()}
    if index != "exact":
        record(found, "none, 10 asked", queries, truth["all"], lambda query: (first(view, query, K), False))
    for name, step in SHARES.items():
        record(found, name, queries, truth[name], partial(filtered, view, step=step, exact=index == "exact"))
    if "spreads" in truth:
        words = queries[truth["words"]]
        spreads = truth["spreads"]
        record(
            found, "words by rank", words, truth["ranks"], lambda query: by_rank(view, query, spreads, exact=index == "exact")
        )
    found["disk_mb"] = sum(file.stat().st_size for file in place.rglob("*") if file.is_file()) / 1e6
    return found


Found = tuple[np.ndarray, bool]  # positions of the ten nearest, and whether all rows or all that pass were compared


def record(
    found: dict[str, Any], name: str, queries: np.ndarray, truth: np.ndarray, find: Callable[[np.ndarray], Found]
) -> None:
    """Measures one kind of search; the first queries are asked twice, since they read from the disk."""
    for query in queries[: len(queries) // 15 + 1]:
        find(query)
    shares, seconds, clock, exact = [], [], [], 0
    for query, right in zip(queries, truth, strict=True):
        begin, begun = time.perf_counter(), time.process_time()
        at, everything = find(query)
        seconds.append(time.process_time() - begun)
        clock.append(time.perf_counter() - begin)
        shares.append(len(set(at.tolist()) & set(right.tolist())) / K)
        exact += everything
    found["recall"][name] = float(np.mean(shares))
    if name == "none":
        found["kinds"] = [float(each.mean()) for each in np.array_split(np.array(shares), len(KINDS))]
    found["ms"][name] = [1e3 * float(each) for each in np.quantile(seconds, [0.5, 0.95])]
    found["clock_ms"][name] = [1e3 * float(each) for each in np.quantile(clock, [0.5, 0.95])]
    found["exact"][name] = exact / len(queries)


def exactly(rows: ArrayView, query: np.ndarray) -> Found:
    return top_k(rows.cosines(query), K), True


def first(view: "ArrayView | ApproximateView", query: np.ndarray, count: int) -> np.ndarray:
    """The ten nearest of as many as are asked of the index, by their true vectors."""
    nearest = view.nearest(query, count)
    assert nearest is not None
    return best(view, nearest.found, query)


def best(view: "ArrayView | ApproximateView", at: np.ndarray, query: np.ndarray) -> np.ndarray:
    nearest: np.ndarray = at[top_k(view.take(at) @ query, K)]
    return nearest


def approximately(view: "ArrayView | ApproximateView", query: np.ndarray) -> Found:
    return first(view, query, COUNTS[0]), False


def filtered(view: "ArrayView | ApproximateView", query: np.ndarray, step: int, *, exact: bool) -> Found:
    """As a search does it: few that pass are compared; else more and more of the nearest are asked for, last all that pass."""
    passing = np.arange(0, len(view.ids), step)
    if not exact and len(passing) > FEW:
        for count in COUNTS:
            nearest = view.nearest(query, count)
            assert nearest is not None
            cosines = view.take(nearest.found) @ query
            least = -np.sort(-cosines)[int(TRUSTED * (len(cosines) - 1))]
            sure = nearest.found[(cosines >= least) & (nearest.found % step == 0)]
            if len(sure) >= K:
                return best(view, sure, query), False
    cosines = np.concatenate([view.take(passing[at : at + 50_000]) @ query for at in range(0, len(passing), 50_000)])
    return passing[top_k(cosines, K)], True


def by_rank(view: "ArrayView | ApproximateView", query: np.ndarray, spreads: np.ndarray, *, exact: bool) -> Found:
    """The ten highest ranks of a query in words: cosines over spreads, as the bundled model's are corrected."""
    correction, none = Correction(0.0, 1.0), np.zeros(1, dtype=np.float32)
    for count in () if exact else COUNTS:
        nearest = view.nearest(query, count)
        assert nearest is not None
        cosines = view.take(nearest.found) @ query
        least = -np.sort(-cosines)[int(TRUSTED * (len(cosines) - 1))]
        bounds = correction.ranks(np.full(1, least, dtype=np.float32), none, spreads)
        pool = Pool(nearest.found, float(least)).with_bound(bounds, cosines / spreads[nearest.found], WANTED)
        if pool is not None and pool.at is not None:
            return pool.at[top_k(view.take(pool.at) @ query / spreads[pool.at], K)], False
    return top_k(view.cosines(query) / spreads, K), True


def status() -> dict[str, float]:
    """What this process holds in MB: of its own, and of files that are mapped, which the system may take back."""
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return {"own": int(lines["RssAnon"].split()[0]) / 1e3, "mapped": int(lines["RssFile"].split()[0]) / 1e3}


if __name__ == "__main__":
    main()
