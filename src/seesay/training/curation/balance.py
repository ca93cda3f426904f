"""Balances pairs over queries as CLIP and MetaCLIP were (Radford and others 2021; Xu and others 2023, algorithm 1).

A first pass counts for every query the captions that contain it. A second keeps each pair with the probability that at least
one of its queries chooses it: a query with count c chooses with min(1, cap / c). What contains no query is left out. So
frequent queries choose about `cap` pairs each, and rare ones all of theirs.

The chance of a pair is a hash of its row and a seed, not the next number of a generator: it depends on no order and no other
row, so that shards may be curated anywhere, and a larger cap keeps what a smaller one kept.
"""

import hashlib
import json
import os
import shutil
import signal
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import repeat
from math import prod
from multiprocessing import get_context, parent_process
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

from seesay.errors import InputError, SeeSayError
from seesay.system.files import file_state, read_arrays, write_arrays
from seesay.system.progress import NamedProgress
from seesay.training.curation.matcher import Matcher
from seesay.training.curation.tables import Part, captions, check_output, parts, read_part, table_writer, text_column

CAP = 20_000  # of CLIP and MetaCLIP, for 400 million pairs
HASH_BYTES = 8


@dataclass(frozen=True)
class Balance:
    """What was kept. read, matched, kept: pairs in all, with a query, and kept; before, after: pairs of each query (Q,) int64,
    before and after."""

    queries: tuple[str, ...]
    cap: int
    read: int
    matched: int
    kept: int
    before: np.ndarray
    after: np.ndarray


@dataclass(frozen=True)
class Settings:
    """What a worker needs besides the part that it reads. seed: of the pairs' chances."""

    queries: tuple[str, ...]
    column: str
    ignore_case: bool
    seed: int


def curate(
    files: Sequence[Path],
    out: Path,
    queries: Sequence[str],
    *,
    cap: int = CAP,
    seed: int = 0,
    column: str | None = None,
    ignore_case: bool = False,
    processes: int = 1,
    progress: NamedProgress | None = None,
) -> Balance:
    """Writes the balanced rows of tables to `out`, in their order, with all their columns.

    Memory holds the queries, once per process, and a few thousand rows. What the passes found lies in a folder beside `out`
    until `out` is complete, so that a run that was killed goes on where it was when it is called again. column: of the
    captions; by default text or caption. Raises InputError, MissingExtra, OSError.
    """
    if cap < 1:
        raise InputError(f"expected a cap of at least 1, got {cap}", parameter="cap")
    check_output(out)
    if any(out.exists() and out.samefile(file) for file in files):
        raise InputError(f"{out} is one of the tables that are read; name another file to write")
    column = text_column(files[0], column)
    for file in files[1:]:
        text_column(file, column)
    settings, listed = Settings(tuple(queries), column, ignore_case, seed), parts(files)
    work = Work(out, settings, files)
    chosen = work.files(f"kept-{cap}", len(listed))
    with _passes(settings, processes if len(listed) > 1 else 1) as run:
        counted = _total("count", run(None, listed, work.files("counts", len(listed))), settings, listed, progress)
        kept = _total("choose", run(misses(counted.counts, cap), listed, chosen), settings, listed, progress)
    _write(out, listed, chosen, progress)
    work.forget()
    return Balance(settings.queries, cap, *counted.rows, kept.rows[1], counted.counts, kept.counts)


class _Total(NamedTuple):
    """What a pass found in all parts. counts: of each query (Q,) int64; rows: all, and those with a query or kept."""

    counts: np.ndarray
    rows: tuple[int, int]


def _total(
    kind: str,
    results: Iterator[dict[str, np.ndarray]],
    settings: Settings,
    listed: Sequence[Part],
    progress: NamedProgress | None,
) -> _Total:
    """The sum of a pass's results."""
    counts, rows = np.zeros(len(settings.queries), np.int64), np.zeros(2, np.int64)
    for number, result in enumerate(results):
        counts[result["numbers"]] += result["counts"]
        rows += result["rows"]
        _report(progress, kind, number, listed)
    return _Total(counts, (int(rows[0]), int(rows[1])))


def misses(counts: np.ndarray, cap: int) -> list[float]:
    """For each query with this many pairs, the probability that it does not choose one of them."""
    chosen: np.ndarray = np.minimum(1.0, cap / np.maximum(counts, 1))
    return (1.0 - chosen).tolist()  # type: ignore[no-any-return]


def keep_probability(found: Sequence[int], misses: Sequence[float]) -> float:
    """The probability of keeping a pair with these queries: one less the chance that none of them chooses it."""
    return 1.0 - prod(misses[number] for number in found)


def chance(row: tuple[Any, ...], seed: int) -> float:
    """A number in [0, 1), uniform over rows, from a row's values and the seed alone."""
    key = seed.to_bytes(HASH_BYTES, "little", signed=True)
    digest = hashlib.blake2b(repr(row).encode("utf-8", "surrogatepass"), digest_size=HASH_BYTES, key=key).digest()
    return (int.from_bytes(digest, "little") >> 11) * 2.0**-53


class Pass:
    """Both passes over a part, with the automaton that they share."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._matcher = Matcher(settings.queries, ignore_case=settings.ignore_case)

    def __call__(self, misses: Sequence[float] | None, part: Part, file: Path) -> dict[str, np.ndarray]:
        """The first pass without `misses`, the second with them; its result, which `file` keeps."""
        result = read_arrays(file)
        if result is None:
            result = self.count(part) if misses is None else self.choose(part, misses)
            write_arrays(file, **result)
        return result

    def count(self, part: Part) -> dict[str, np.ndarray]:
        """The queries that a part's captions contain (`numbers`) in how many of them (`counts`); `rows`: all, and with any."""
        counts: Counter[int] = Counter()
        read = matched = 0
        for batch in read_part(part):
            for caption in captions(batch, self._settings.column):
                read += 1
                if caption and (found := self._matcher.find(caption)):
                    matched += 1
                    counts.update(found)
        return {**_counted(counts), "rows": np.array([read, matched])}

    def choose(self, part: Part, misses: Sequence[float]) -> dict[str, np.ndarray]:
        """Which rows are `kept` (bits), and their queries as in `count`."""
        counts: Counter[int] = Counter()
        kept: list[bool] = []
        for batch in read_part(part):
            columns = [batch.column(name).to_pylist() for name in sorted(batch.schema.names)]
            for row, caption in enumerate(captions(batch, self._settings.column)):
                found = sorted(self._matcher.find(caption)) if caption else []
                keep = keep_probability(found, misses) if found else 0.0
                if 0.0 < keep < 1.0:
                    keep = chance(tuple(column[row] for column in columns), self._settings.seed) < keep
                kept.append(bool(keep))
                if keep:
                    counts.update(found)
        return {**_counted(counts), "kept": np.packbits(kept), "rows": np.array([len(kept), sum(kept)])}


def _counted(counts: Counter[int]) -> dict[str, np.ndarray]:
    return {"numbers": np.array(list(counts), np.int64), "counts": np.array(list(counts.values()), np.int64)}


class Work:
    """The folder beside an output with what the passes found in each part. File names say for which tables, queries and
    settings, so that nothing of another run is taken for this one's."""

    def __init__(self, out: Path, settings: Settings, files: Sequence[Path]) -> None:
        self.folder = out.with_name(f"{out.name}.work")
        self.folder.mkdir(parents=True, exist_ok=True)
        states = [[str(file.absolute()), file_state(file)] for file in files]
        key = [settings.queries, settings.column, settings.ignore_case, settings.seed, states]
        self._key = hashlib.sha256(json.dumps(key).encode("utf-8", "surrogatepass")).hexdigest()[:16]

    def files(self, kind: str, number: int) -> list[Path]:
        """A file of a kind for each of so many parts."""
        return [self.folder / f"{kind}-{self._key}-{part}.npz" for part in range(number)]

    def forget(self) -> None:
        """Removes the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)


class Run(Protocol):
    """Runs a pass over parts and yields its results in their order."""

    def __call__(
        self, misses: Sequence[float] | None, listed: Sequence[Part], files: Sequence[Path]
    ) -> Iterator[dict[str, np.ndarray]]: ...


@contextmanager
def _passes(settings: Settings, processes: int) -> Iterator[Run]:
    """Yields what runs passes: in this process, or in several, each with its automaton."""
    if processes <= 1:
        one = Pass(settings)
        yield lambda misses, listed, files: map(one, repeat(misses), listed, files)
        return
    Matcher(())  # a missing extra is said here, not by a worker
    context = get_context("spawn")  # a fork of a process with pyarrow's threads may hang
    with ProcessPoolExecutor(processes, context, _begin, (settings,)) as pool:
        try:
            yield lambda misses, listed, files: pool.map(_work, repeat(misses), listed, files)
        except BrokenProcessPool:
            raise SeeSayError(
                "a process was ended from outside, perhaps for want of memory. What was done is kept: run the command again, "
                "with fewer --processes"
            ) from None
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


_workers: list[Pass] = []  # in a worker process, the one that it works with


def _begin(settings: Settings) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that started this one is told, and ends it
    threading.Thread(target=_follow, daemon=True).start()
    _workers.append(Pass(settings))


def _follow() -> None:
    """Ends a worker whose starter was killed; it would wait for work for ever."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _work(misses: Sequence[float] | None, part: Part, file: Path) -> dict[str, np.ndarray]:
    return _workers[0](misses, part, file)


def _write(out: Path, listed: Sequence[Part], chosen: Sequence[Path], progress: NamedProgress | None) -> None:
    """Writes the rows that were chosen."""
    with table_writer(out) as writer:
        for number, (part, file) in enumerate(zip(listed, chosen, strict=True)):
            choice = read_arrays(file)
            if choice is None:
                raise OSError(f"{file} was removed while {out} was written; run the command again")
            start, mask = 0, np.unpackbits(choice["kept"]).astype(bool)
            for batch in read_part(part):
                writer.write(batch.take(np.flatnonzero(mask[start : start + len(batch)])))
                start += len(batch)
            _report(progress, "write", number, listed)


def _report(progress: NamedProgress | None, kind: str, number: int, listed: Sequence[Part]) -> None:
    if progress is not None:
        progress(kind, number + 1, len(listed))
