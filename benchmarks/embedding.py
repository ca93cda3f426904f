"""Embedding in parts: shards, a Ray cluster and the import of their files, beside a plain index run.

    SEESAY_DATA=... python benchmarks/embedding.py [--quick] [--json]

Whole commands in processes of their own, from start to end, on photos-1k (examples/photos where SEESAY_DATA is not set), in
turns: `seesay index`; two `seesay embed --shard` at the same time, and `seesay library import` of both files; `seesay embed
--ray local` with two actors of one core each, and its import. All three libraries must then hold the same vectors. On one
machine the parts share its cores, so there is nothing to win: what is measured is what the ways cost. Afterwards rows of random
vectors, for empty files that are on the disk, are imported: the speed without any work on pictures, what ranking needs
included, and the memory of the process.

Goals: two shards and their import take at most 1.5 of the time of the index run, and an import at most 1 s per 1,000 pictures.
"""

import hashlib
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pictures
from benchmark import Goal, Result, Table, run

import seesay
from seesay.images.metadata import Metadata
from seesay.library.embedding.encode import Row
from seesay.library.embedding.item import Item
from seesay.library.embedding.table import Origin, parquet_writer, to_table
from seesay.library.indexing.facts import DecodedFacts

PLAIN, SHARDS, RAY = "seesay index", "two shards, import", "Ray, two actors, import"
SYNTHETIC = 200_000
A_FOLDER = 8192  # files of a folder, and rows written at once


def measure(quick: bool) -> Result:
    result = Result()
    source, photos = pictures.photos_1k()
    photos = photos[: 100 if quick else None]
    times: dict[str, list[float]] = {}
    imports: dict[str, list[float]] = {SHARDS: [], RAY: []}
    with tempfile.TemporaryDirectory(prefix="seesay-bench-") as name:
        folder = pictures.linked(photos, Path(name) / "photos")
        for turn in range(1 if quick else 2):
            place = Path(name) / str(turn)
            place.mkdir()
            times.setdefault(PLAIN, []).append(_timed("index", folder, "--library", place / "plain"))
            _parts(folder, place, times, imports)
            vectors = [_vectors(place / each) for each in ("plain", "shards", "ray")]
            assert vectors[0] == vectors[1] == vectors[2], "the libraries differ"
        _report(result, source, len(photos), times, imports)
        _measure_synthetic(result, Path(name) / "synthetic", SYNTHETIC // 20 if quick else SYNTHETIC)
    return result


def _parts(folder: Path, place: Path, times: dict[str, list[float]], imports: dict[str, list[float]]) -> None:
    """One turn of the shards, and of Ray."""
    started = time.perf_counter()
    both = [_start("embed", folder, "-o", place / "part-{i}.parquet", "--shard", f"{i}/2") for i in (1, 2)]
    for process in both:
        _end(process)
    made = time.perf_counter() - started
    parts = (place / "part-1.parquet", place / "part-2.parquet")
    imports[SHARDS].append(_timed("library", "import", *parts, "--library", place / "shards"))
    times.setdefault(SHARDS, []).append(made + imports[SHARDS][-1])
    made = _timed("embed", folder, "-o", place / "ray.parquet", "--ray", "local", "--actors", 2)
    imports[RAY].append(_timed("library", "import", place / "ray.parquet", "--library", place / "ray"))
    times.setdefault(RAY, []).append(made + imports[RAY][-1])


def _start(*arguments: object) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "seesay", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def _end(process: "subprocess.Popen[str]") -> None:
    _, err = process.communicate()
    if process.returncode:
        raise SystemExit(err)


def _timed(*arguments: object) -> float:
    started = time.perf_counter()
    _end(_start(*arguments))
    return time.perf_counter() - started


def _vectors(library: Path) -> list[tuple[str, bytes]]:
    """The files of a library with their vectors, in order of name."""
    with sqlite3.connect(library / "library.db") as db:
        rows = db.execute(
            """SELECT f.path, v.vector FROM files f JOIN items i ON i.content_id = f.content_id
               JOIN vectors v ON v.item_id = i.id ORDER BY f.path"""
        ).fetchall()
    db.close()
    return rows


def _report(result: Result, source: str, count: int, times: dict[str, list[float]], imports: dict[str, list[float]]) -> None:
    best = {name: min(each) for name, each in times.items()}
    rows: list[tuple[str, ...]] = [
        (
            name,
            f"{best[name]:.1f}",
            f"{count / best[name]:.0f}",
            f"{min(imports[name]) / count * 1000:.1f}" if name in imports else "",
            f"{best[name] / best[PLAIN]:.2f}",
        )
        for name in times
    ]
    header = ("way", "seconds", "pictures/s", "import, s per 1,000", "times the index run")
    result.tables.append(Table(f"{count} pictures of {source}, the best of {len(times[PLAIN])} turns", header, rows))
    result.figures["seconds"] = {name: [round(each, 2) for each in some] for name, some in times.items()}
    result.figures["import_seconds"] = {name: [round(each, 2) for each in some] for name, some in imports.items()}
    result.goals.append(Goal("two shards and their import / index run", best[SHARDS] / best[PLAIN], 1.5))


# Runs in a process of its own, so that its peak of memory is the import's.
IMPORT = """
import json, resource, sys
import seesay
with seesay.Library(sys.argv[1], seesay.load()) as library:
    report = library.import_vectors(sys.argv[2])
print(json.dumps([report.taken, report.seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024]))
"""


def _measure_synthetic(result: Result, place: Path, count: int) -> None:
    started = time.perf_counter()
    _write_synthetic(place, count)
    written = time.perf_counter() - started
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", IMPORT, place / "library", place / "v.parquet"], capture_output=True, text=True, check=True
    )
    whole = time.perf_counter() - started
    taken, seconds, peak = json.loads(done.stdout)
    assert taken == count
    file, database = (os.path.getsize(place / each) / 1e9 for each in ("v.parquet", "library/library.db"))
    header = ("rows", "file GB", "database GB", "rows stored in s", "with ranking s", "rows/s", "peak memory MB")
    row = (
        f"{count:,}",
        f"{file:.2f}",
        f"{database:.2f}",
        f"{seconds:.0f}",
        f"{whole:.0f}",
        f"{count / whole:,.0f}",
        f"{peak / 1e6:.0f}",
    )
    result.tables.append(Table("Import of random vectors, 512 dimensions", header, [row]))
    result.figures["synthetic"] = {"rows": count, "stored_s": seconds, "whole_s": whole, "peak_bytes": peak, "made_s": written}
    result.goals.append(Goal("import of 1,000 rows, in seconds", whole / count * 1000, 1.0))


def _write_synthetic(place: Path, count: int) -> None:
    """Empty files, and a Parquet file that says of each that it was a picture."""
    rng = np.random.default_rng(0)
    origin = Origin.of(seesay.load(decode="fast"), [str(place / "files")])
    place.mkdir()
    with parquet_writer(place / "v.parquet", origin) as writer:
        for start in range(0, count, A_FOLDER):
            folder = place / "files" / f"{start:08}"
            folder.mkdir(parents=True)
            vectors = rng.standard_normal((min(A_FOLDER, count - start), origin.dim), dtype=np.float32)
            vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
            writer.write_table(to_table([_row(folder / f"{i}.jpg", vector) for i, vector in enumerate(vectors)], origin))


def _row(file: Path, vector: np.ndarray) -> Row:
    file.touch()
    digest = hashlib.sha256(os.fsencode(file)).digest()
    item = Item(str(file), size=0, mtime_ns=file.stat().st_mtime_ns)
    return Row(item, vector, digest, DecodedFacts(640, 480, Metadata(taken_at="2026-01-02T03:04:05"), bytes(256), None, False))


if __name__ == "__main__":
    run("embedding", __doc__ or "", measure)
