"""Captions balanced over queries: how many a second, and in how much memory.

    python benchmarks/curation.py [--quick] [--json]

Captions of three to eight words, drawn from 200,000 by Zipf's law, lie in Parquet files of a million and of ten million pairs.
`seesay data queries` makes the list of queries from the smaller one, and `seesay data curate` balances both. Memory is what the
command's processes hold together, seen ten times a second, so pages that two of them share count twice. Processor time is given
beside the time on the clock, because other programs change it little.

Goal: ten times the captions take at most 1.3 times the memory.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from benchmark import Goal, Result, Table, run

WORDS = 200_000
ZIPF = 1.1
CHUNK = 100_000  # captions that are drawn, and a row group
CAP = 200


@dataclass(frozen=True)
class Measured:
    """A command's time on the clock, of its processors, the most memory of its processes together, and what it printed."""

    seconds: float
    processor_s: float
    peak_mb: float
    told: dict[str, Any]


def measure(quick: bool) -> Result:
    small, large = (20_000, 200_000) if quick else (1_000_000, 10_000_000)
    with tempfile.TemporaryDirectory(prefix="seesay-curation-") as name:
        folder = Path(name)
        for captions in (small, large):
            write_captions(folder / f"{captions}.parquet", captions)
        megabytes = (folder / f"{large}.parquet").stat().st_size / 1e6
        queries = command("queries", str(folder / f"{small}.parquet"), "-o", str(folder / "queries.txt"))
        balanced = {
            captions: command(
                "curate",
                str(folder / f"{captions}.parquet"),
                str(folder / "out.parquet"),
                "--queries",
                str(folder / "queries.txt"),
                "--cap",
                str(CAP),
            )
            for captions in (small, large)
        }
    return result(balanced, queries, megabytes)


def result(balanced: dict[int, Measured], queries: Measured, megabytes: float) -> Result:
    small, large = balanced
    rows = [("queries", small, queries), *(("curate", captions, each) for captions, each in balanced.items())]
    table = Table(
        "Time and memory",
        ("command", "captions", "seconds", "captions/s", "processor s", "memory MB"),
        [
            (name, f"{n:,}", f"{m.seconds:.0f}", f"{n / m.seconds:,.0f}", f"{m.processor_s:.0f}", f"{m.peak_mb:,.0f}")
            for name, n, m in rows
        ],
    )
    few, many = list(balanced.values())
    pairs, spread = many.told["pairs"], many.told["queries"]
    kept = Table(
        f"Pairs of a query, {spread['given']:,} queries, cap {CAP}",
        ("", "median", "99th of 100", "most", "top hundredth has"),
        [
            (name, *(f"{spread[name][key]:,.0f}" for key in ("p50", "p99", "p100")), f"{spread[name]['top_share']:.0%}")
            for name in ("before", "after")
        ],
    )
    notes = [
        f"The larger file has {megabytes:.0f} MB. Of {pairs['read']:,} captions {pairs['matched']:,} have a query, and "
        f"{pairs['kept']:,} were kept ({pairs['kept'] / pairs['read']:.0%}): a caption is kept when any of its words is rare."
    ]
    figures = {"captions_per_s": large / many.seconds, "peak_mb": many.peak_mb, "processor_s": many.processor_s}
    goal = Goal("memory for ten times the captions", many.peak_mb / few.peak_mb, 1.3)
    return Result(figures=figures, tables=[table, kept], goals=[goal], notes=notes)


def write_captions(file: Path, captions: int) -> None:
    """A Parquet file of captions of random words, each with a URL."""
    fixed, random = np.random.default_rng(0), np.random.default_rng(captions)  # every file is of the same words
    letters, lengths = fixed.integers(97, 123, (WORDS, 9), dtype=np.uint8), fixed.integers(3, 10, WORDS)
    words = np.array([row[:length].tobytes().decode() for row, length in zip(letters, lengths, strict=True)])
    chances = np.cumsum(1 / np.arange(1, WORDS + 1) ** ZIPF)
    schema = pa.schema({"url": pa.string(), "text": pa.string()})
    with pq.ParquetWriter(file, schema, compression="zstd") as writer:
        for start in range(0, captions, CHUNK):
            lengths = random.integers(3, 9, min(CHUNK, captions - start))
            drawn = words[np.searchsorted(chances, random.random(lengths.sum()) * chances[-1])]
            ends = lengths.cumsum()
            texts = [" ".join(drawn[end - length : end]) for end, length in zip(ends, lengths, strict=True)]
            urls = [f"http://a.example/{start + number}.jpg" for number in range(len(texts))]
            writer.write_table(pa.table({"url": urls, "text": texts}, schema=schema))


def command(*arguments: str) -> Measured:
    """Runs `seesay data` with these arguments and --json."""
    before = os.times()
    start, peak = time.perf_counter(), 0.0
    process = subprocess.Popen(
        [sys.executable, "-m", "seesay", "data", *arguments, "--json"], stdout=subprocess.PIPE, encoding="utf-8"
    )
    while process.poll() is None:
        peak = max(peak, memory_mb(process.pid))
        time.sleep(0.1)
    seconds, after = time.perf_counter() - start, os.times()
    assert process.stdout is not None
    told = process.stdout.read()
    if process.returncode:
        raise SystemExit(f"seesay data {' '.join(arguments)} failed with exit code {process.returncode}")
    used = after.children_user + after.children_system - before.children_user - before.children_system
    return Measured(seconds, used, peak, json.loads(told))


def memory_mb(pid: int) -> float:
    """What a process and those that it started hold, together."""
    family, held = [pid], 0.0
    for member in family:
        try:
            tasks = Path(f"/proc/{member}/task")
            family += [int(each) for task in tasks.iterdir() for each in (task / "children").read_text().split()]
            status = Path(f"/proc/{member}/status").read_text()
            held += next((int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")), 0) / 1e3
        except OSError:  # it has ended
            continue
    return held


if __name__ == "__main__":
    assert __doc__ is not None
    run("curation", __doc__, measure)
