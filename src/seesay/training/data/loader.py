"""Batches of prepared samples in a fixed order, prefetched in threads with bounded memory.

Several processes see the batches that one would see, and prepare a share of each: those positions of the stream that leave the
process's rank when divided by their number. So any stretch of a batch's length holds as many for each. A position that turns
out to be bad is replaced by the next after the batch, in the process that lacks one. All processes walk through the whole
stream, so that a source need not be divisible among them.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import islice
from typing import Generic, TypeVar

import numpy as np

from seesay.errors import InputError, UnreadableImage
from seesay.system.cpu import available_cores
from seesay.system.prefetch import prefetch
from seesay.training.data.samples import Sample, SampleFault, SampleSource
from seesay.training.data.skipped import SkippedSamples
from seesay.training.processes import ALONE, Processes

T = TypeVar("T")


@dataclass(frozen=True)
class Batch(Generic[T]):
    """Samples (without their encoded bytes) and as many prepared values: this process's share of a batch.

    position: in the stream, after this batch and the faults among its samples; a Loader that starts there continues after it.
    """

    samples: list[Sample]
    values: list[T]
    position: int


@dataclass(frozen=True)
class _Prepared(Generic[T]):
    sample: Sample
    value: T


@dataclass(frozen=True)
class _Item(Generic[T]):
    """A position of the stream, and what is there; a sample as it came is one that another process prepares."""

    position: int
    content: "_Prepared[T] | Sample | SampleFault"


class Loader(Generic[T]):
    """Endless full batches of a source's samples, prepared by `prepare(sample, rng)`.

    A sample that the source cannot read, or for which `prepare` raises InputError, is skipped and counted, and the next takes
    its place. `prepare` runs in `threads` (default: one per core), up to one batch ahead of the current one. Its generator
    depends on the seed and the sample's position alone; so do batches, whatever the timing of threads, the number of processes
    and wherever a run started. `batch` counts the samples of all processes. `skipped` counts the skips of all up to the last
    batch, on top of those in the record passed in.
    """

    def __init__(
        self,
        source: SampleSource,
        prepare: Callable[[Sample, np.random.Generator], T],
        *,
        batch: int,
        seed: int,
        position: int = 0,
        threads: int | None = None,
        skipped: SkippedSamples | None = None,
        processes: Processes = ALONE,
    ) -> None:
        if batch < 1 or seed < 0 or position < 0 or (threads is not None and threads < 1):
            raise InputError(
                "expected batch and threads of at least 1, seed and position of at least 0, "
                f"got batch {batch}, threads {threads}, seed {seed}, position {position}"
            )
        self._source, self._prepare = source, prepare
        self._batch, self._seed, self._position = batch, seed, position
        self._threads = threads or available_cores()
        self.skipped = skipped if skipped is not None else SkippedSamples()
        self._processes = processes
        self._faults: Counter[str] = Counter()  # since the last usable sample

    def __iter__(self) -> Generator[Batch[T], None, None]:
        """Batches from `position` on. Closing the iterator stops the threads. Raises InputError after an epoch without a usable
        sample."""
        stream = enumerate(self._source.stream(self._seed, self._position), self._position)
        position = self._position
        with closing(prefetch(self._item, stream, threads=self._threads, ahead=self._batch)) as items:
            while True:
                rows: list[_Prepared[T]] = []
                lacking = [self._batch // self._processes.count] * self._processes.count  # of the batch, by process
                while missing := sum(lacking):
                    position += missing
                    rows += self._take(list(islice(items, missing)), lacking)
                yield Batch([row.sample for row in rows], [row.value for row in rows], position)

    def _owners(self, window: Sequence[_Item[T]], lacking: Sequence[int]) -> list[int]:
        """The process that each item of a window is for."""
        if len(window) == self._batch:
            return [item.position % self._processes.count for item in window]
        return [rank for rank, count in enumerate(lacking) for _ in range(count)]

    def _take(self, window: Sequence[_Item[T]], lacking: list[int]) -> list[_Prepared[T]]:
        """This process's usable samples of a window. All processes count everybody's, and what each of them still lacks."""
        owners = self._owners(window, lacking)
        rows: list[_Prepared[T]] = []
        faults: dict[int, SampleFault] = {}
        for place, (item, owner) in enumerate(zip(window, owners, strict=True)):
            content = item.content
            if owner == self._processes.rank and isinstance(content, Sample):
                content = self._prepared(item.position, content)  # in place of a bad one
            if isinstance(content, SampleFault):
                faults[place] = content
            elif owner == self._processes.rank:
                assert isinstance(content, _Prepared)
                rows.append(content)
        if self._processes.any(bool(faults)):
            told = self._processes.gather_json([[place, fault.name, fault.reason] for place, fault in faults.items()])
            faults = {place: SampleFault(name, reason) for own in told for place, name, reason in own}
        for place, owner in enumerate(owners):
            if place in faults:
                self._faults[self.skipped.add(faults[place])] += 1
                self._check(faults[place])
            else:
                self._faults.clear()
                lacking[owner] -= 1
        return rows

    def _item(self, job: tuple[int, Sample | SampleFault]) -> _Item[T]:
        position, sample = job
        own = position % self._processes.count == self._processes.rank
        return _Item(position, self._prepared(position, sample) if own and isinstance(sample, Sample) else sample)

    def _prepared(self, position: int, sample: Sample) -> _Prepared[T] | SampleFault:
        try:
            value = self._prepare(sample, np.random.default_rng((self._seed, position)))
        except UnreadableImage as error:
            return SampleFault(sample.name, error.reason)
        except InputError as error:
            return SampleFault(sample.name, str(error))
        return _Prepared(replace(sample, image=b"") if isinstance(sample.image, bytes) else sample, value)

    def _check(self, last: SampleFault) -> None:
        faults = self._faults
        if faults.total() >= len(self._source):
            counts = ", ".join(f"{reason}: {count}" for reason, count in faults.most_common(5))
            raise InputError(
                f"{self._source.name}: expected samples that can be used, got none in a whole pass of {faults.total()} "
                f"({counts}). The last: {last.name}: {last.reason}"
            )


def hashed_ids(keys: Sequence[str]) -> np.ndarray:
    """keys -> (N,) int64: equal keys get equal numbers in every batch and process (64 bits of BLAKE2)."""
    digests = b"".join(hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8).digest() for key in keys)
    return np.frombuffer(digests, dtype="<i8").astype(np.int64)
