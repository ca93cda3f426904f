"""Slowdown of torch while other processes keep cores busy.

    python benchmarks/beside_others.py [--quick] [--json]

Us: the bundled model's towers in torch, by `compat.clip`, `compat.open_clip` and `seesay.load(engine="torch")`, with as many
threads as there are free cores, which is their default. Peer: the same with a thread for every core, which is what torch does
by itself, and with it the originals. Four pictures, given as pixels, and four texts at a time; alone, beside busy processes on
half of the cores, and on all. For information: ONNX Runtime. Every contender is a process of its own; they work in turns.

Goals: beside others at most 0.6 times what the peer takes; alone no longer than it.
"""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmark import Goal, Result, Table, run
from peer import Worker

from seesay.system.cpu import available_cores

BESIDE, ALONE = 0.6, 1.15
REST_S = 0.3  # before a turn: threads wait for more work in loops that take cores
NAMES = {"clip": "compat.clip", "open_clip": "compat.open_clip", "torch": 'engine="torch"', "onnx": 'engine="onnx"'}
PEER = ", a thread for every core"
OURS = ("clip", "open_clip", "torch")


class Contender(Worker):
    def __init__(self, kind: str, threads: int | None = None) -> None:
        script = Path(__file__).parent / "torch_process.py"
        command = [sys.executable, str(script), kind, *([] if threads is None else [str(threads)])]
        environment = {name: value for name, value in os.environ.items() if name not in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")}
        super().__init__(command, environment, "a contender ended early")
        self.seconds: list[float] = []
        self.used: list[float] = []

    def work(self, *, counted: bool) -> None:
        seconds, used = map(float, self.run().split())
        if counted:
            self.seconds.append(seconds)
            self.used.append(used)


def measure(quick: bool) -> Result:
    cores, rounds = available_cores(), 3 if quick else 9
    settings = sorted({0, max(1, cores // 2), cores})
    result = Result(figures={"busy": settings})
    found: dict[str, list[tuple[float, float]]] = {}
    with ExitStack() as stack:
        contenders = {}
        for kind in (*OURS, "onnx"):
            contenders[NAMES[kind]] = Contender(kind)
            stack.callback(contenders[NAMES[kind]].close)
            if kind in OURS:
                contenders[NAMES[kind] + PEER] = Contender(kind, cores)
                stack.callback(contenders[NAMES[kind] + PEER].close)
        for count in settings:
            with busy(count):
                for number in range(rounds + 2):  # the first two: what is free is looked at while it works
                    for contender in contenders.values():
                        time.sleep(REST_S)
                        contender.work(counted=number >= 2)
            for name, contender in contenders.items():
                medians = statistics.median(contender.seconds), statistics.median(contender.used)
                found.setdefault(name, []).append(medians)
                contender.seconds, contender.used = [], []
    rows: list[tuple[str, ...]] = []
    for name, taken in found.items():
        alone = taken[0][0]
        rows.append((name, *(f"{1e3 * s:.0f} ({s / alone:.1f} x, {1e3 * u:.0f})" for s, u in taken)))
        result.figures[name] = [{"ms": round(1e3 * s, 1), "processor_ms": round(1e3 * u, 1)} for s, u in taken]
    header = ("ms (times as long as alone, processor ms)", *(beside(count) for count in settings))
    result.tables.append(Table(f"Medians of {rounds} rounds in turns, {cores} cores", header, rows))
    for kind in OURS:
        for number, count in enumerate(settings):
            ratio = found[NAMES[kind]][number][0] / found[NAMES[kind] + PEER][number][0]
            what = f"{NAMES[kind]}, {beside(count)}, times a thread for every core"
            result.goals.append(Goal(what, round(ratio, 3), BESIDE if count else ALONE))
    return result


@contextmanager
def busy(count: int) -> Iterator[None]:
    """Runs so many processes that each take one core."""
    processes = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def beside(count: int) -> str:
    return "alone" if count == 0 else f"beside {count} busy"


if __name__ == "__main__":
    run("beside_others", __doc__ or "", measure)
