"""Time of a map's layout, alone and while other processes keep cores busy.

    python benchmarks/map.py [--quick] [--json] [--vectors 614]

Us: `library.map.layout`, which takes one thread. Peer: the same components and the same t-SNE of scikit-learn, left to take a
thread for every core. Vectors of 512 numbers about forty centres, as many as --vectors says; both lay them out in turns, alone,
beside busy processes on half of the cores, and on all. Processor seconds are the peer's and ours in this process.

Goals: at most half of the peer's time beside others; alone no longer than it.
"""

import os
import time
from collections.abc import Callable

import numpy as np
from benchmark import Goal, Result, Table, run
from beside_others import beside, busy
from rounds import Times
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE

from seesay.library.map import COMPONENTS, PERPLEXITY, SEED, layout
from seesay.models.vectors import normalize
from seesay.system.cpu import available_cores

BESIDE, ALONE = 0.5, 1.0
DIM, CENTRES, SPREAD = 512, 40, 0.03
REST_S = 0.3  # before a turn: the peer's threads wait for more work in loops that take cores


def measure(quick: bool, vectors: tuple[int, ...]) -> Result:
    cores, rounds = available_cores(), 1 if quick else 3
    settings = sorted({0, max(1, cores // 2), cores})
    result = Result()
    for count in vectors:
        rows: list[tuple[str, ...]] = []
        made = about_centres(count)
        contenders: dict[str, Callable[[np.ndarray], np.ndarray]] = {"seesay": layout, "a thread for every core": left_alone}
        for processes in settings:
            seconds: dict[str, list[float]] = {name: [] for name in contenders}
            used: dict[str, list[float]] = {name: [] for name in contenders}
            places = {}
            with busy(processes):
                for _ in range(rounds):
                    for name, lay_out in contenders.items():
                        time.sleep(REST_S)
                        begin, before = time.perf_counter(), sum(os.times()[:2])
                        places[name] = lay_out(made)
                        seconds[name].append(time.perf_counter() - begin)
                        used[name].append(sum(os.times()[:2]) - before)
            ours, peer = (Times(tuple(found)) for found in seconds.values())
            setting = beside(processes)
            for name in contenders:
                took, own = Times(tuple(seconds[name])), Times(tuple(used[name]))
                rows.append((f"{name}, {setting}", f"{took.median:.1f}", f"{own.median:.1f}", f"{took.over(peer):.2f}"))
                result.figures[f"{count}, {name}, {setting}"] = took.to_json() | {"processor": round(own.median, 2)}
            result.goals.append(
                Goal(f"{count} pictures, {setting}, times the peer", round(ours.over(peer), 3), BESIDE if processes else ALONE)
            )
            apart = np.abs(places["seesay"] - places["a thread for every core"]).max()
            result.figures[f"{count}, apart, {setting}"] = float(apart)
        header = ("contender", "seconds", "processor seconds", "ratio")
        result.tables.append(Table(f"{count} pictures, {rounds} rounds in turns, {cores} cores", header, rows))
        result.notes.append(f"Both places of one of {count} pictures are at most {apart:.1g} of the map's side apart.")
    return result


def left_alone(vectors: np.ndarray) -> np.ndarray:
    """`layout` with the default number of threads."""
    reduced = PCA(COMPONENTS, random_state=SEED).fit_transform(vectors.astype(np.float64))
    places = TSNE(2, perplexity=PERPLEXITY, init="pca", random_state=SEED).fit_transform(reduced)
    low, high = places.min(axis=0), places.max(axis=0)
    return np.asarray(0.04 + 0.92 * (places - low) / np.maximum(high - low, 1e-6), dtype=np.float64)


def about_centres(count: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    centres = normalize(rng.standard_normal((CENTRES, DIM)).astype(np.float32))
    return normalize(centres[np.arange(count) % CENTRES] + SPREAD * rng.standard_normal((count, DIM)).astype(np.float32))


if __name__ == "__main__":
    run("map", __doc__ or "", measure, {"vectors": (614,)})
