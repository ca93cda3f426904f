"""A mixture of sources: each sample is drawn from one of them by weight."""

from collections.abc import Iterator, Sequence
from itertools import chain, count
from pathlib import Path

import numpy as np

from seesay.errors import InputError
from seesay.training.data import SourceConfig
from seesay.training.data.captions import check_weight
from seesay.training.data.samples import Sample, SampleFault, SampleSource
from seesay.training.data.seeds import CHILD, SOURCE

BLOCK = 2**16  # positions drawn at a time; resuming draws and counts whole blocks, 50 million positions in 1 or 2 s


def open_mixture(configs: Sequence[SourceConfig], root: Path) -> SampleSource:
    """All sources of a recipe as one; paths are relative to `root`. Raises InputError, MissingExtra."""
    return Mixture([config.open(root) for config in configs], [config.weight for config in configs])


class Mixture:
    """Each position draws one of the sources by weight and yields that source's next sample.

    Every source has epochs of its own: a small one with a large weight repeats sooner. A single source is passed through
    unchanged.
    """

    def __init__(self, sources: Sequence[SampleSource], weights: Sequence[float]) -> None:
        if not sources:
            raise InputError("expected at least one source of samples, got none")
        for _, weight in zip(sources, weights, strict=True):
            check_weight(weight)
        self.sources = tuple(sources)
        self._cumulative = np.cumsum(weights, dtype=np.float64) / np.sum(weights, dtype=np.float64)
        self.name = ", ".join(source.name for source in sources)

    def __len__(self) -> int:
        return sum(len(source) for source in self.sources)

    def stream(self, seed: int, start: int = 0) -> Iterator[Sample | SampleFault]:
        """See `SampleSource`."""
        if len(self.sources) == 1:
            return self.sources[0].stream(seed, start)
        return self._mixed(seed, start)

    def once(self) -> Iterator[Sample | SampleFault]:
        """See `SampleSource`."""
        return chain.from_iterable(source.once() for source in self.sources)

    def _mixed(self, seed: int, start: int) -> Iterator[Sample | SampleFault]:
        first, offset = divmod(start, BLOCK)
        starts = np.zeros(len(self.sources), dtype=np.int64)  # samples of each source before `start`
        for block in range(first):
            starts += np.bincount(self._choices(seed, block), minlength=len(starts))
        starts += np.bincount(self._choices(seed, first)[:offset], minlength=len(starts))
        seeds = [int(np.random.SeedSequence((seed, number, CHILD)).generate_state(1)[0]) for number in range(len(starts))]
        streams = [source.stream(own, at) for source, own, at in zip(self.sources, seeds, starts.tolist(), strict=True)]
        for block in count(first):
            for number in self._choices(seed, block)[offset:].tolist():
                yield next(streams[number])
            offset = 0

    def _choices(self, seed: int, block: int) -> np.ndarray:
        """The sources of a block of positions, by number: (BLOCK,) int64."""
        chances = np.random.default_rng((seed, block, SOURCE)).random(BLOCK)
        return np.asarray(np.sum([chances >= edge for edge in self._cumulative[:-1]], axis=0, dtype=np.int64))
