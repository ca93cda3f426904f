"""The vector indexes side by side: recall, time, memory and disk of exact, usearch and Milvus Lite.

    SEESAY_DATA=... [SEESAY_VECTOR_WORK=DIR] python benchmarks/vector_indexes.py [--quick] [--json]

The vectors are made of those that the bundled model gives the pictures of $SEESAY_DATA (`made_vectors.py`), which are mixed and
jittered so that neighbours lie as those of real pictures do. The queries are 50 words of everyday.tsv, 50 captions and 50
further made pictures. The truth are the ten nearest by exact float32 cosines. An approximate index is asked for the 1024
nearest, whose true vectors are compared, as a search does; "10 asked" trusts it alone. Filters let every 2nd, 10th or 100th
picture pass. "Words by rank" are the 50 words in the order of a search, cosines over spreads, with the bound of
`library/search/pool.py`. One thread; each index in a process of its own. Milliseconds are of the processor, which other
programs change little, unless "clock" is said.

Graphs take long: what is built and measured is kept in DIR (default: in the cache), and a run that was stopped goes on there.
With SEESAY_VECTOR_MINUTES=M each build has so many minutes a run; an index that is not complete is told with what it has, and
not measured. SEESAY_VECTOR_SIZES=100000,1000000 measures these sizes only.
"""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
from benchmark import Result, Table, run
from made_vectors import Maker, compared, real_vectors, write_vectors
from vector_index_process import DIM, KINDS, SHARES, K

import seesay
from seesay.library.search.background import measure as measure_spreads
from seesay.library.search.background import read_or_encode_phrases
from seesay.library.search.encode import encode_words
from seesay.models.vectors import top_k
from seesay.system.cache import cache_dir

INDEXES = ("exact", "usearch", "usearch-f16", "milvus")
NAMES = {"exact": "exact", "usearch": "usearch i8", "usearch-f16": "usearch f16", "milvus": "Milvus Lite"}
SIZES = (100_000, 1_000_000, 5_000_000)
QUERIES = 50  # of each kind
HELD_OUT = 1_000_000  # the number of a chunk that no size reaches
RANKED = 100_000  # up to so many vectors, ranks are measured, too
STEP = 100_000


def measure(quick: bool) -> Result:
    chosen = os.environ.get("SEESAY_VECTOR_SIZES")
    sizes = tuple(map(int, chosen.split(","))) if chosen else (20_000,) if quick else SIZES
    folder = Path(os.environ.get("SEESAY_VECTOR_WORK") or cache_dir() / "benchmarks" / "vectors")
    minutes = float(os.environ.get("SEESAY_VECTOR_MINUTES") or "inf")
    folder.mkdir(parents=True, exist_ok=True)
    maker = Maker(real_vectors(folder / "real.npy"))
    vectors = write_vectors(folder / "made.f16", maker, max(sizes))
    figures: dict[str, Any] = {"real": likeness(maker.real), "made": likeness(maker.chunk(0, 4000).astype(np.float32))}
    for size in sizes:
        write_truth(folder, maker, vectors[:size])
        for index in INDEXES:
            built = child("build", index, size, folder, 60 * minutes)
            searched = search(index, size, folder) if built["rows"] == size else {}
            figures.setdefault(str(size), {})[index] = {"build": built} | searched
    return result(figures)


def likeness(vectors: np.ndarray) -> dict[str, float]:
    """How near the neighbours of 4,000 vectors are."""
    return compared(vectors[np.random.default_rng(0).choice(len(vectors), min(4000, len(vectors)), replace=False)])


def write_truth(folder: Path, maker: Maker, vectors: np.ndarray) -> None:
    """The queries, and the ten nearest of each among all vectors and among those that pass each filter, by exact float32."""
    file, size = folder / f"truth-{len(vectors)}.npz", len(vectors)
    if file.exists():
        return
    queries, words = query_vectors(maker)
    steps = {"all": 1} | SHARES
    kept: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {name: [] for name in steps}
    spreads, model = list[np.ndarray](), seesay.load()
    phrases = read_or_encode_phrases(model)
    for start in range(0, size, STEP):
        part = np.asarray(vectors[start : start + STEP]).astype(np.float32)
        cosines = queries @ part.T
        if size <= RANKED:
            spreads.append(
                np.concatenate([measure_spreads(part[at : at + 10_000] @ phrases.T)[1] for at in range(0, len(part), 10_000)])
            )
        for name, step in steps.items():
            at = np.arange(-start % step, len(part), step)
            best = np.stack([top_k(row[at], K) for row in cosines])
            kept[name].append((start + at[best], np.take_along_axis(cosines[:, at], best, axis=1)))
    truth: dict[str, Any] = {"queries": queries, "words": np.arange(words)}
    for name, parts in kept.items():
        at, values = (np.concatenate(each, axis=1) for each in zip(*parts, strict=True))
        truth[name] = np.take_along_axis(at, np.stack([top_k(row, K) for row in values]), axis=1)
    if size <= RANKED:
        spread = truth["spreads"] = np.concatenate(spreads)
        ranks = np.empty((words, size), dtype=np.float32)
        for start in range(0, size, STEP):
            ranks[:, start : start + STEP] = queries[:words] @ np.asarray(vectors[start : start + STEP]).astype(np.float32).T
        truth["ranks"] = np.stack([top_k(row / spread, K) for row in ranks])
    np.savez(file, **truth)


def query_vectors(maker: Maker) -> tuple[np.ndarray, int]:
    """(Q, D): words, captions and pictures; and how many words."""
    random = np.random.default_rng(1)
    with (Path(__file__).parent / "everyday.tsv").open(encoding="utf-8", newline="") as stream:
        words = [row["en"] for row in csv.DictReader(stream, delimiter="\t")]
    with (Path(os.environ["SEESAY_DATA"]) / "flickr8k" / "captions.tsv").open(encoding="utf-8", newline="") as stream:
        captions = [
            row["text"] for row in csv.DictReader(stream, delimiter="\t") if (row["split"], row["lang"]) == ("val", "en")
        ]
    chosen = [str(text) for some in (words, captions) for text in random.choice(sorted(set(some)), QUERIES, replace=False)]
    encoded = encode_words(seesay.load(), chosen)
    pictures = maker.chunk(HELD_OUT, QUERIES).astype(np.float32)
    return np.concatenate([np.stack([encoded[text] for text in chosen]), pictures]).astype(np.float32), QUERIES


def search(index: str, size: int, folder: Path) -> dict[str, Any]:
    """What was measured of an index, now or in an earlier run."""
    file = folder / f"{index}-{size}" / "search.json"
    if not file.exists():
        file.write_text(json.dumps(child("search", index, size, folder)))
    kept: dict[str, Any] = json.loads(file.read_text())
    return kept


def child(*arguments: object) -> dict[str, Any]:
    """Runs `vector_index_process.py` with one thread."""
    command = [sys.executable, str(Path(__file__).parent / "vector_index_process.py"), *map(str, arguments)]
    one = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    done = subprocess.run(command, stdout=subprocess.PIPE, encoding="utf-8", env=os.environ | one)
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, arguments))} failed with exit code {done.returncode}")
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def result(figures: dict[str, Any]) -> Result:
    tables, notes = [], [like(figures)]
    for size in (key for key in figures if key.isdigit()):
        rows = {NAMES[index]: each for index, each in figures[size].items()}
        whole = {name: each for name, each in rows.items() if "recall" in each}
        tables.append(
            Table(
                f"{int(size):,} vectors x {DIM}",
                (
                    "index",
                    "recall@10",
                    "10 asked",
                    "ms p50",
                    "p95",
                    "clock ms p50",
                    "own MB",
                    "mapped MB",
                    "disk MB",
                    "build processor s",
                    "clock s",
                ),
                [(name, *costs(each)) for name, each in whole.items()],
            )
        )
        kinds = [(name, each["kinds"]) for name, each in whole.items() if name != NAMES["exact"]]
        if kinds:
            told = "; ".join(f"{name} {', '.join(f'{share:.3f}' for share in shares)}" for name, shares in kinds)
            notes.append(f"Recall@10 of {', '.join(KINDS)} among {int(size):,}: {told}.")
        names = [*SHARES, *(["words by rank"] if any("words by rank" in each["recall"] for each in whole.values()) else [])]
        tables.append(
            Table(
                f"{int(size):,} vectors: recall@10, ms p50, and the share of queries for which all that pass were compared",
                ("index", *(f"{name} pass" if "%" in name else name for name in names)),
                [(name, *(cell(each, key) for key in names)) for name, each in whole.items()],
            )
        )
        for name, each in rows.items():
            if "recall" not in each:
                built = each["build"]
                notes.append(
                    f"{name} of {int(size):,} vectors is not complete: {built['rows']:,} after {built['processor_s']:,.0f} s "
                    f"of processor time ({built['clock_s']:,.0f} s on the clock)."
                )
    return Result(figures=figures, tables=tables, notes=notes)


def costs(each: dict[str, Any]) -> tuple[str, ...]:
    alone = each["recall"].get("none, 10 asked")
    half, most = each["ms"]["none"]
    memory, built = each["memory_mb"], each["build"]
    return (
        f"{each['recall']['none']:.3f}",
        "" if alone is None else f"{alone:.3f}",
        f"{half:.1f}",
        f"{most:.1f}",
        f"{each['clock_ms']['none'][0]:.1f}",
        f"{memory['own']:,.0f}",
        f"{memory['mapped']:,.0f}",
        f"{each['disk_mb']:,.0f}",
        f"{built['processor_s']:,.0f}",
        f"{built['clock_s']:,.0f}",
    )


def cell(each: dict[str, Any], key: str) -> str:
    return f"{each['recall'][key]:.3f}, {each['ms'][key][0]:.1f} ms, {each['exact'][key]:.0%}"


def like(figures: dict[str, Any]) -> str:
    pairs = (f"{name} {figures['real'][name]:.2f} and {figures['made'][name]:.2f}" for name in figures["real"])
    return f"Medians of 4,000 real pictures and of 4,000 made ones: {', '.join(pairs)}."


if __name__ == "__main__":
    assert __doc__ is not None
    run("vector_indexes", __doc__, measure)
