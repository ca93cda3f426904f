"""Memory and time of the contrastive loss, forward and backward, against the plain formula.

    python benchmarks/contrastive_loss.py [--sizes 8192,16384,32768] [--tiles 2048] [--quick] [--json]

Us: `seesay.training.losses.info_nce`, whose logits exist a tile at a time. Peer: the formula of OpenCLIP's ClipLoss in one
process (logits per image and logits per text, a product each, then two cross-entropies), in the same torch. Unit vectors of 512
dimensions, float32, scale 100. Each runs in a process of its own, in turns. Memory is the peak of a process during the call
beyond what it held before, in its worst turn; both need the gradients (128 MiB at 32,768). A size is left out if too little
memory is free for the plain formula. With several tile sizes the first one is compared. Linux only.

Goal, at the largest size: a tenth of the memory, 1/1.3 of the time.
"""

from pathlib import Path

from benchmark import Goal, Result, Table, run
from peer import Peer
from rounds import interleave

from seesay.training.losses.tiles import TILE

SIZES = (8192, 16384, 32768)
QUICK_SIZES = (2048, 4096)
MEMORY_GOAL, TIME_GOAL = 1 / 10, 1 / 1.3
PLAIN_MATRICES = 4.5  # N x N matrices that the plain formula holds at once: 4.1 measured, and a margin


class Contender:
    """One implementation in its process; `extra` collects the peak bytes of its runs."""

    def __init__(self, kind: str) -> None:
        self._process = Peer("loss_process.py", kind, ours=True)
        self.extra: list[int] = []
        self.loss = 0.0

    def prepare(self, count: int) -> None:
        self._process.run("prepare", count)
        self.extra.clear()

    def run(self) -> None:
        loss, extra = self._process.run("run").split()
        self.loss = float(loss)
        self.extra.append(int(extra))

    def close(self) -> None:
        self._process.close()


def measure(quick: bool, sizes: tuple[int, ...], tiles: tuple[int, ...]) -> Result:
    result = Result()
    names = {"plain": "plain"} | {f"seesay, tile {tile}": str(tile) for tile in tiles}
    ours = list(names)[1]
    contenders = {name: Contender(kind) for name, kind in names.items()}
    rows: list[tuple[str, ...]] = []
    memory_ratio = time_ratio = None
    for count in QUICK_SIZES if quick else sizes:
        needed = PLAIN_MATRICES * count * count * 4
        if needed > available():
            result.notes.append(
                f"{count:,} pairs are left out: the plain formula needs about {needed / 2**30:.0f} GiB, the machine has "
                f"{available() / 2**30:.0f} left."
            )
            continue
        for contender in contenders.values():
            contender.prepare(count)
        rounds = 5 if count <= 8192 else 3
        times = interleave({name: contender.run for name, contender in contenders.items()}, rounds)
        extra = {name: max(contender.extra) for name, contender in contenders.items()}
        memory_ratio, time_ratio = extra[ours] / extra["plain"], times[ours].over(times["plain"])
        result.figures.setdefault("sizes", {})[count] = {
            "memory_ratio": round(memory_ratio, 5),
            "time_ratio": round(time_ratio, 4),
            "seconds": {name: t.to_json() for name, t in times.items()},
            "extra_bytes": extra,
            "losses": {name: contender.loss for name, contender in contenders.items()},
        }
        rows += [
            (
                f"{count:,} pairs, {name}",
                f"{extra[name] / 2**20:,.0f}",
                f"{extra[name] / extra['plain']:.4f}",
                f"{t.median:.2f}",
                f"{t.best:.2f}",
                f"{t.over(times['plain']):.2f}",
            )
            for name, t in times.items()
        ]
        result.figures |= {"pairs": count, "memory_ratio": round(memory_ratio, 5), "time_ratio": round(time_ratio, 4)}
    for contender in contenders.values():
        contender.close()
    if memory_ratio is not None and time_ratio is not None:
        pairs = f"{result.figures['pairs']:,}"
        result.goals = [
            Goal(f"contrastive loss of {pairs} pairs, memory, times the plain formula", memory_ratio, MEMORY_GOAL),
            Goal(f"contrastive loss of {pairs} pairs, time, times the plain formula", time_ratio, TIME_GOAL),
        ]
    header = ("", "memory MiB", "ratio", "median s", "best s", "ratio of medians")
    result.tables = [Table("Forward and backward", header, rows)]
    return result


def available() -> int:
    """Bytes of memory that are available now."""
    lines = Path("/proc/meminfo").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("MemAvailable:")).split()[1]) * 1024


if __name__ == "__main__":
    run("contrastive_loss", __doc__ or "", measure, numbers={"sizes": SIZES, "tiles": (TILE,)})
