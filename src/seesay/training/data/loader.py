"""Batches of prepared samples, in order, made ahead in threads with bounded memory."""

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
from seesay.training.data.left_out import LeftOut
from seesay.training.data.samples import Fault, Sample, Source

T = TypeVar("T")


@dataclass(frozen=True)
class Batch(Generic[T]):
    """Equally many samples (encoded bytes let go) and values.

    position: in the stream, after this batch and the faults among its samples; a Loader from there goes on behind it.
    """

    samples: list[Sample]
    values: list[T]
    position: int


@dataclass(frozen=True)
class _Made(Generic[T]):
    sample: Sample
    value: T


class Loader(Generic[T]):
    """Endless full batches of what `prepare` makes of a source's samples.

    A sample that a source or `prepare` (by InputError) cannot make is skipped and counted, and the next takes its place.
    `prepare` runs in `threads` (default: one per core), up to one batch ahead of the one being filled. Its generator depends
    on the seed and the sample's position alone; so do batches, whatever the threads did and wherever a run began.
    `left_out` counts what was skipped up to the batch that came last, and goes on counting where one is given.
    """

    def __init__(
        self,
        source: Source,
        prepare: Callable[[Sample, np.random.Generator], T],
        *,
        batch: int,
        seed: int,
        position: int = 0,
        threads: int | None = None,
        left_out: LeftOut | None = None,
    ) -> None:
        if batch < 1 or seed < 0 or position < 0 or (threads is not None and threads < 1):
            raise InputError(
                "expected batch and threads of at least 1, seed and position of at least 0, "
                f"got batch {batch}, threads {threads}, seed {seed}, position {position}"
            )
        self._source, self._prepare = source, prepare
        self._batch, self._seed, self._position = batch, seed, position
        self._threads = threads or available_cores()
        self.left_out = left_out if left_out is not None else LeftOut()

    def __iter__(self) -> Generator[Batch[T], None, None]:
        """From `position` on. Closing the iterator stops the threads. Raises InputError after a pass with no usable sample."""
        jobs = enumerate(self._source.stream(self._seed, self._position), self._position)
        samples: list[Sample] = []
        values: list[T] = []
        since: Counter[str] = Counter()  # faults since the last usable sample
        with closing(prefetch(self._make, jobs, threads=self._threads, ahead=self._batch)) as results:
            for position, result in enumerate(results, self._position + 1):
                if isinstance(result, Fault):
                    since[self.left_out.add(result)] += 1
                    self._check(since, result)
                    continue
                since.clear()
                samples.append(result.sample)
                values.append(result.value)
                if len(samples) == self._batch:
                    yield Batch(samples, values, position)
                    samples, values = [], []

    def _make(self, job: tuple[int, Sample | Fault]) -> _Made[T] | Fault:
        position, sample = job
        if isinstance(sample, Fault):
            return sample
        try:
            value = self._prepare(sample, np.random.default_rng((self._seed, position)))
        except UnreadableImage as error:
            return Fault(sample.name, error.reason)
        except InputError as error:
            return Fault(sample.name, str(error))
        return _Made(replace(sample, image=b"") if isinstance(sample.image, bytes) else sample, value)

    def _check(self, since: Counter[str], last: Fault) -> None:
        if since.total() >= len(self._source):
            counts = ", ".join(f"{reason}: {count}" for reason, count in since.most_common(5))
            raise InputError(
                f"{self._source.name}: expected samples that can be used, got none in a whole pass of {since.total()} "
                f"({counts}). The last: {last.name}: {last.reason}"
            )


def ids_of(keys: Sequence[str]) -> np.ndarray:
    """keys -> (N,) int64: equal keys get equal numbers, in every batch and process (64 bits of a hash)."""
    digests = b"".join(hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8).digest() for key in keys)
    return np.frombuffer(digests, dtype="<i8").astype(np.int64)
