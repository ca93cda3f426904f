"""Batches of prepared samples in a fixed order, prefetched in threads with bounded memory."""

import hashlib
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

import numpy as np

from seesay.errors import InputError, UnreadableImage
from seesay.system.cpu import available_cores
from seesay.system.prefetch import prefetch
from seesay.training.data.samples import Sample, SampleFault, SampleSource
from seesay.training.data.skipped import SkippedSamples

T = TypeVar("T")


@dataclass(frozen=True)
class Batch(Generic[T]):
    """Samples (without their encoded bytes) and as many prepared values.

    position: in the stream, after this batch and the faults among its samples; a Loader that starts there continues after it.
    """

    samples: list[Sample]
    values: list[T]
    position: int


@dataclass(frozen=True)
class _Prepared(Generic[T]):
    sample: Sample
    value: T


class Loader(Generic[T]):
    """Endless full batches of a source's samples, prepared by `prepare(sample, rng)`.

    A sample that the source cannot read, or for which `prepare` raises InputError, is skipped and counted, and the next takes
    its place. `prepare` runs in `threads` (default: one per core), up to one batch ahead of the current one. Its generator
    depends on the seed and the sample's position alone; so do batches, whatever the timing of threads and wherever a run
    started. `skipped` counts the skips up to the last batch, on top of those in the record passed in.
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

    def __iter__(self) -> Generator[Batch[T], None, None]:
        """Batches from `position` on. Closing the iterator stops the threads. Raises InputError after an epoch without a usable
        sample."""
        jobs = enumerate(self._source.stream(self._seed, self._position), self._position)
        samples: list[Sample] = []
        values: list[T] = []
        faults: Counter[str] = Counter()  # since the last usable sample
        with closing(prefetch(self._prepared, jobs, threads=self._threads, ahead=self._batch)) as results:
            for position, result in enumerate(results, self._position + 1):
                if isinstance(result, SampleFault):
                    faults[self.skipped.add(result)] += 1
                    self._check(faults, result)
                    continue
                faults.clear()
                samples.append(result.sample)
                values.append(result.value)
                if len(samples) == self._batch:
                    yield Batch(samples, values, position)
                    samples, values = [], []

    def _prepared(self, job: tuple[int, Sample | SampleFault]) -> _Prepared[T] | SampleFault:
        position, sample = job
        if isinstance(sample, SampleFault):
            return sample
        try:
            value = self._prepare(sample, np.random.default_rng((self._seed, position)))
        except UnreadableImage as error:
            return SampleFault(sample.name, error.reason)
        except InputError as error:
            return SampleFault(sample.name, str(error))
        return _Prepared(replace(sample, image=b"") if isinstance(sample.image, bytes) else sample, value)

    def _check(self, faults: Counter[str], last: SampleFault) -> None:
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
