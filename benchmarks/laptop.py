"""What this machine does without a GPU: whole commands, the time that each takes, and the memory of its largest moment.

    SEESAY_DATA=... python benchmarks/laptop.py [--quick] [--json]

Each command is a process of its own in an empty home. Memory is the largest resident size of the process, as the system counts
it, with the pages of memory-mapped files that it read; so what fits is what stays well below the machine's memory. The large
models have random weights, which take as long as trained ones. "A million vectors" is a library as if of so many photos; its
search is a new process, which opens the library, encodes the words and compares them with every vector.

Pictures: photos-1k (1,000, shorter side 256) and Grocery (1,320 and 296, 81 classes). --quick: a tenth of the pictures and
100,000 vectors.

Goal: nothing takes more than 8 GB, half of a laptop with 16.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import random_clip
from benchmark import Goal, Result, Table, run
from query_latency import fill

import seesay

MEMORY_GB = 8.0
PHOTOS, VECTORS = 1000, 1_000_000
HERE = Path(__file__).parent
NAMES = HERE.parent / "recipes" / "grocery" / "fine.txt"


@dataclass(frozen=True)
class Task:
    """A command, and what a row of the table says of it. count: of the things it works on, for a rate; 0 for none."""

    title: str
    size: str
    command: tuple[str, ...]
    count: int = 0


@dataclass(frozen=True)
class Cost:
    seconds: float
    cores: float
    gigabytes: float


def measure(quick: bool) -> Result:
    result = Result()
    data = os.environ.get("SEESAY_DATA")
    if data is None:
        result.notes.append("photos-1k and Grocery are needed: SEESAY_DATA=folder with both")
        return result
    rows: list[tuple[str, ...]] = []
    with tempfile.TemporaryDirectory(prefix="seesay-bench-") as folder:
        for task in _tasks(Path(data), Path(folder), quick):
            cost = _run(task.command, Path(folder))
            rate = f"{task.count / cost.seconds:.3g}" if task.count else ""
            rows.append((task.title, task.size, _duration(cost.seconds), rate, f"{cost.cores:.1f}", f"{cost.gigabytes:.1f}"))
            result.figures[f"{task.title}, {task.size}"] = asdict(cost)
            print(*rows[-1], file=sys.stderr, flush=True)
    header = ("task", "of", "time", "a second", "cores", "GB")
    result.tables.append(Table("Whole commands, once each", header, rows))
    most = max(cost["gigabytes"] for cost in result.figures.values())
    result.goals.append(Goal("memory of the largest task, in GB", most, MEMORY_GB))
    return result


def _tasks(data: Path, work: Path, quick: bool) -> Iterator[Task]:
    """In order; a later one may need what an earlier one made."""
    photos = _some(sorted((data / "photos-1k" / "images").iterdir()), work / "photos", PHOTOS // 10 if quick else PHOTOS)
    few = _some(photos, work / "few", 50)
    own, million, rare = work / "library", work / "million", VECTORS // 10 if quick else VECTORS
    grocery = data / "grocery"
    yield Task("make a library", f"{len(photos)} photos", _seesay("index", work / "photos", "--library", own), len(photos))
    yield Task("search in words", f"{len(photos)} photos", _seesay("search", "a dog on grass", "--library", own))
    yield Task("find duplicates", f"{len(photos)} photos", _seesay("duplicates", "--library", own), len(photos))
    yield Task("draw a map", f"{len(photos)} photos", _seesay("map", "--library", own, "-o", work / "map.html"), len(photos))
    model = seesay.load()
    fill(million, model, rare)
    with seesay.Library(million, model) as library:
        library.search("a cat")  # a library that was indexed has compared its pictures with the neutral phrases
    yield Task("search in words", f"{rare:,} vectors", _seesay("search", "a dog on grass", "--library", million, "--json"))
    table = ("--data", grocery / "train.tsv", "--label-column", "fine", "--names", NAMES)
    shown = "1,320 pictures, 81 classes"
    yield Task("fit a probe", shown, _seesay("probe", *table, "--out", work / "probe"), 1320)
    yield Task("fine-tune (LoRA), an epoch", shown, _seesay("finetune", *table, "--out", work / "lora", "--epochs", 1), 1320)
    yield Task(
        "draw what a text says", "64 shapes, 50 steps", _seesay("draw", "a sunset", "--steps", 50, "-o", work / "drawing.svg")
    )
    for name in ("ViT-B-32", "ViT-L-14"):
        random_clip.make(work / name, name, targets=())
        for storage in ("float32", "int8"):
            command = _seesay("embed", work / "few", "--model", work / name / storage, "-o", work / "vectors.npz")
            yield Task(f"embed with {name}, {storage}", f"{len(few)} photos", command, len(few))


def _some(photos: Sequence[Path], folder: Path, count: int) -> list[Path]:
    """Links to the first photos, in a folder of their own."""
    folder.mkdir()
    for photo in photos[:count]:
        (folder / photo.name).symlink_to(photo.resolve())
    return list(photos[:count])


def _seesay(*arguments: object) -> tuple[str, ...]:
    return (sys.executable, "-m", "seesay", *map(str, arguments))


def _run(command: Sequence[str], work: Path) -> Cost:
    """Runs a command to its end. Raises SystemExit where it fails."""
    home = work / "home"
    home.mkdir(exist_ok=True)
    environment = os.environ | {"HOME": str(home), "SEESAY_CACHE": str(home / "cache"), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, str(HERE / "process_cost.py"), *command], env=environment, capture_output=True, encoding="utf-8"
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(command[2:])} failed: {done.stderr[-2000:]}")
    told = json.loads(done.stdout)
    return Cost(told["seconds"], told["cpu"] / told["seconds"], told["bytes"] / 1e9)


def _duration(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 100 else f"{seconds / 60:.1f} min"


if __name__ == "__main__":
    run("laptop", __doc__ or "", measure)
