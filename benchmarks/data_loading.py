"""Throughput and memory of loading training pictures from tar shards.

    SEESAY_DATA=... python benchmarks/data_loading.py [--quick] [--json]

Us: `Loader` on `Shards` of `training.data`, 2 threads of one process; JPEGs in the fast decoding, and in the exact
one. Peer: webdataset's own pipeline (`WebDataset(...).shuffle().decode("pil").to_tuple().map_tuple().batched()`) with 2 workers
of torch's DataLoader, and in one process. All make batches of 32 uint8 pictures of 224 x 224 by a random resized crop, from the
same shards: 2,000 photos of Flickr8k (examples/photos where SEESAY_DATA is not set), and JPEGs of 1600 x 1200 made of photos.
Each turn is a process of its own; times begin when what it had made ahead is used up. "CPU ms" is what one picture took of a
core's time, which says more than the clock where others use the machine. Memory is the most that a process and its workers
held, shared pages divided among those that share them, seen ten times a second, imports included.

There is no goal; the ratio should be above 1.
"""

import io
import os
import statistics
import subprocess
import sys
import tarfile
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pictures
from benchmark import Result, Table, run
from loaders import BATCH, SHUFFLE
from rounds import Times

HERE = Path(__file__).parent
NAMES = {
    "seesay": "Loader, 2 threads",
    "seesay-exact": "Loader, 2 threads, exact decoding",
    "webdataset-workers": "webdataset, 2 workers",
    "webdataset": "webdataset, 1 process",
}
PEER = "webdataset-workers"
SHARDS = 8
PHOTOS = 2000
LARGE = (1600, 1200)
WARM_UP = 6 * BATCH  # more than any of them makes ahead
OFTEN_S = 0.1


@dataclass
class Turns:
    seconds: list[float] = field(default_factory=list)
    core_seconds: list[float] = field(default_factory=list)
    peak_mb: float = 0.0


def measure(quick: bool) -> Result:
    result = Result()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        name, photos = some_photos()
        large = pictures.enlarge(photos[:120], folder / "large", LARGE, quality=90, noise=True)
        sets = [(name, photos, 1536), (f"enlarged photos, {LARGE[0]} x {LARGE[1]}", large, 512)]
        rounds, part = (1, 4) if quick else (3, 1)
        for number, (title, files, count) in enumerate(sets):
            pattern = shards(files, folder / str(number))
            add(result, title, compete(pattern, count // part, rounds), count // part)
    result.notes.append(
        f"Shuffling held {SHUFFLE} encoded pictures back in each process, so twice as many with 2 workers.\n"
        "Importing webdataset imports torch, which both hold; our tables and folders need neither."
    )
    return result


def some_photos() -> tuple[str, list[Path]]:
    folder = pictures.data()
    files = sorted((folder / "flickr8k" / "images").glob("*.*"))[:PHOTOS] if folder else []
    return ("Flickr8k", files) if files else ("examples/photos", pictures.examples())


def shards(files: Sequence[Path], folder: Path) -> str:
    """Writes SHARDS tar files of these photos, repeated until there are enough to shuffle; returns their pattern."""
    folder.mkdir()
    repeated = list(files) * -(-2 * SHUFFLE // len(files))
    for shard in range(SHARDS):
        with tarfile.open(folder / f"{shard}.tar", "w") as tar:
            for number in range(shard, len(repeated), SHARDS):
                file = repeated[number]
                suffix = {".jpeg": ".jpg"}.get(file.suffix.lower(), file.suffix.lower())
                for name, data in ((f"{number:06d}{suffix}", file.read_bytes()), (f"{number:06d}.txt", b"a photo")):
                    member = tarfile.TarInfo(name)
                    member.size = len(data)
                    tar.addfile(member, io.BytesIO(data))
    return f"{folder}/{{0..{SHARDS - 1}}}.tar"


def compete(pattern: str, count: int, rounds: int) -> dict[str, Turns]:
    turns = {name: Turns() for name in NAMES}
    for _ in range(rounds):
        for name, turn in turns.items():
            seconds, cores, peak = alone(name, pattern, count)
            turn.seconds.append(seconds)
            turn.core_seconds.append(cores)
            turn.peak_mb = max(turn.peak_mb, peak)
    return turns


def alone(name: str, pattern: str, count: int) -> tuple[float, float, float]:
    """Runs one contender in a process of its own -> (seconds, core seconds, peak megabytes)."""
    command = [sys.executable, str(HERE / "loaders.py"), name, pattern, str(WARM_UP), str(count)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, encoding="utf-8", env=os.environ | {"OMP_NUM_THREADS": "1"})
    peak, done = 0.0, threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(OFTEN_S):
            peak = max(peak, megabytes(process.pid))

    watcher = threading.Thread(target=watch)
    watcher.start()
    said, _ = process.communicate()
    done.set()
    watcher.join()
    if process.returncode:
        raise SystemExit(f"{name} failed with exit code {process.returncode}")
    seconds, cores = map(float, said.split())
    return seconds, cores, peak


def megabytes(pid: int) -> float:
    """Memory of a process and its descendants, with shared pages divided among their users; 0 if the system does not say."""
    total = 0.0
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1]) / 1e3
        children = [child for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()]
    except OSError:  # it has just ended, or this is not Linux
        return total
    return total + sum(megabytes(int(child)) for child in children)


def add(result: Result, title: str, turns: dict[str, Turns], count: int) -> None:
    times = {name: Times(tuple(turn.seconds)) for name, turn in turns.items()}
    peer = times[PEER]
    cpu_ms = {name: 1e3 * statistics.median(turn.core_seconds) / count for name, turn in turns.items()}
    rows: list[tuple[str, ...]] = [
        (
            NAMES[name],
            f"{count / own.median:.0f}",
            f"{count / own.best:.0f}",
            f"{peer.over(own):.2f}",
            f"{cpu_ms[name]:.1f}",
            f"{turns[name].peak_mb:.0f}" if turns[name].peak_mb else "not known",
        )
        for name, own in times.items()
    ]
    header = ("", "pictures/s", "best", f"times {NAMES[PEER]}", "CPU ms", "peak MB")
    result.tables.append(Table(f"{title}, {count} pictures a turn, {len(peer.seconds)} turns", header, rows))
    result.figures[title] = {
        name: {
            "seconds": own.to_json(),
            "pictures_per_s": round(count / own.median, 1),
            "cpu_ms": round(cpu_ms[name], 3),
            "peak_mb": round(turns[name].peak_mb),
        }
        for name, own in times.items()
    }


if __name__ == "__main__":
    run("data_loading", __doc__, measure)
