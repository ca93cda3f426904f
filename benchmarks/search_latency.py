"""Time of an exact search, compared with the matrix product that it consists of.

    python benchmarks/search_latency.py [--quick] [--json]

Us: the ten nearest of N vectors x 384 in a library's vector index: `state`, `view`, the cosines with the query, `top_k`. Peer:
only the product, `vectors @ query`, of the same float32 numbers in memory. Both run in turns with all pages touched. Then whole
searches by vector through `Library` and SQLite, down to the hits with their paths.

Goal: ours takes at most 1.2 times as long as the product, for 10,000, 100,000 and 1,000,000 vectors.
"""

import hashlib
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
from benchmark import Goal, Result, Table, run
from rounds import Times, interleave

import seesay
from seesay.library.storage.store import Store
from seesay.library.vectors import open_index
from seesay.library.vectors.index import VectorIndex, VectorRow
from seesay.library.vectors.sync import sync
from seesay.models.vectors import normalize, top_k

GOAL = 1.2
DIM = 384
K = 10
ROUNDS = {10_000: 1000, 100_000: 200, 1_000_000: 40}
CHUNK = 50_000
WARM_UPS = 3  # the first one touches every page
STEPS = ("state, view", "product", "top_k")
US, PEER = "exact search", "product"
WHOLE = "Library.search_vector"
COMPARED = ("vectors", "rounds", "search median ms", "best", "product median ms", "best", "ratio of medians", "of bests")


def measure(quick: bool) -> Result:
    result = Result()
    rounds = {count: number // (5 if quick else 1) for count, number in ROUNDS.items() if count <= 100_000 or not quick}
    query = normalize(np.random.default_rng(1).standard_normal(DIM))
    rows, steps = [], []
    for count, number in rounds.items():
        with tempfile.TemporaryDirectory(prefix="seesay-bench-", ignore_cleanup_errors=True) as folder:
            vectors = _vectors(count)
            index = open_index(Path(folder), DIM)
            index.add((VectorRow(i + 1, "image", row.tobytes()) for i, row in enumerate(vectors)), count)
            search = _Search(index, query)
            times = interleave({US: search, PEER: partial(np.matmul, vectors, query)}, number, warm_ups=WARM_UPS)
        rows.append(_compared(result, count, times))
        medians = {step: 1e3 * statistics.median(seconds[WARM_UPS:]) for step, seconds in search.seconds.items()}
        result.figures.setdefault("steps_ms", {})[str(count)] = {step: round(value, 4) for step, value in medians.items()}
        steps.append((f"{count:,}", *(f"{value:.3f}" for value in medians.values())))
        ratio = result.figures["ratios"][str(count)]
        result.goals.append(Goal(f"exact search of {count:,} vectors, times the product", ratio, GOAL))
    whole = [_whole(result, count, query, rounds[count]) for count in (10_000, 100_000)]
    result.figures["ratio"] = max(result.figures["ratios"].values())
    result.tables = [
        Table(f"The {K} nearest of N vectors x {DIM}, in turns", COMPARED, rows),
        Table("The steps of those searches, median ms", ("vectors", *STEPS), steps),
        Table(f"{WHOLE}, through SQLite, in turns with the product", COMPARED, whole),
    ]
    return result


def _vectors(count: int) -> np.ndarray:
    """(N, 384) unit vectors; the cosines of a query to them lie as densely around zero as such vectors can."""
    generator = np.random.default_rng(0)
    vectors = np.empty((count, DIM), dtype=np.float32)
    for start in range(0, count, CHUNK):
        vectors[start : start + CHUNK] = normalize(
            generator.standard_normal((min(CHUNK, count - start), DIM), dtype=np.float32)
        )
    return vectors


class _Search:
    """One exact search, step by step; `seconds` has the time of each step."""

    def __init__(self, index: VectorIndex, query: np.ndarray) -> None:
        self._index, self._query = index, query
        self.seconds: dict[str, list[float]] = {step: [] for step in STEPS}

    def __call__(self) -> np.ndarray:
        clock = [time.perf_counter()]
        view = self._index.view("image", self._index.state())
        clock.append(time.perf_counter())
        assert view is not None
        scores = view.cosines(self._query)
        clock.append(time.perf_counter())
        best: np.ndarray = view.ids[top_k(scores, K)]
        clock.append(time.perf_counter())
        for step, (started, ended) in zip(STEPS, pairwise(clock), strict=True):
            self.seconds[step].append(ended - started)
        return best


def _compared(result: Result, count: int, times: dict[str, Times]) -> tuple[str, ...]:
    result.figures.setdefault("ratios", {})[str(count)] = round(times[US].over(times[PEER]), 3)
    result.figures.setdefault("ratios_of_bests", {})[str(count)] = round(times[US].best / times[PEER].best, 3)
    result.figures.setdefault("search_ms", {})[str(count)] = {name: t.to_json(1e3) for name, t in times.items()}
    return _row(count, times[US], times[PEER])


def _row(count: int, us: Times, peer: Times) -> tuple[str, ...]:
    millis = [f"{1e3 * seconds:.2f}" for seconds in (us.median, us.best, peer.median, peer.best)]
    return (f"{count:,}", str(len(us.seconds)), *millis, f"{us.over(peer):.2f}", f"{us.best / peer.best:.2f}")


def _whole(result: Result, count: int, query: np.ndarray, rounds: int) -> tuple[str, ...]:
    vectors, model = _vectors(count), seesay.fake_model(dim=DIM)
    with tempfile.TemporaryDirectory(prefix="seesay-bench-") as folder:
        _fill(Path(folder) / "library", model, vectors)
        with seesay.Library(Path(folder) / "library", model) as library:
            searches: dict[str, Callable[[], object]] = {
                WHOLE: lambda: library.search_vector(query, n=K),
                PEER: partial(np.matmul, vectors, query),
            }
            times = interleave(searches, rounds, warm_ups=WARM_UPS)
    result.figures.setdefault("whole_ms", {})[str(count)] = {name: t.to_json(1e3) for name, t in times.items()}
    return _row(count, times[WHOLE], times[PEER])


def _fill(folder: Path, model: seesay.Model, vectors: np.ndarray) -> None:
    """Writes a library as if `vectors` were those of pictures, each with a file of its own."""
    store = Store(folder, create=True)
    space = store.ensure_space(model.space_id, model.dim, model.name)
    root = store.add_root(str(folder / "photos"))
    with store.transaction():
        for path, vector in _files(vectors):
            content = store.put_content(hashlib.sha256(path.encode()).digest(), "image", 4000, 3000)
            store.put_vector(store.put_item(content), space, model.build_id, vector)
            store.put_file(root, path, 2_000_000, 0, content)
    sync(open_index(store.vector_folder(space), space.dim), store, space)
    store.close()


def _files(vectors: np.ndarray) -> Iterator[tuple[str, bytes]]:
    return ((f"{i // 1000:04d}/photo-{i:07d}.jpg", vector.tobytes()) for i, vector in enumerate(vectors))


if __name__ == "__main__":
    run("search_latency", __doc__ or "", measure)
