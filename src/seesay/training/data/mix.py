"""A recipe's sources, opened, and mixed by weight into one."""

from collections.abc import Iterator, Sequence
from itertools import chain, count
from pathlib import Path

import numpy as np

from seesay.errors import InputError
from seesay.training.data.class_folder import ClassFolder, open_class_folder
from seesay.training.data.class_table import ClassTable, open_class_table
from seesay.training.data.manifest import Manifest, open_manifest
from seesay.training.data.samples import Fault, Sample, Source
from seesay.training.data.shards import Shards, open_shards
from seesay.training.data.texts import check_weight

SourceConfig = Manifest | ClassTable | ClassFolder | Shards
BLOCK = 2**16  # positions drawn at a time; to resume, whole blocks are drawn and counted, 50 million positions in 1 or 2 s
DRAW, CHILD = 3, 4  # what the seed is used for; listing.py has the first two


def open_source(config: SourceConfig, root: Path) -> Source:
    """One source of a recipe; its paths are relative to `root`, the recipe's folder. Raises InputError, MissingExtra."""
    match config:
        case Manifest():
            return open_manifest(config, root)
        case ClassTable():
            return open_class_table(config, root)
        case ClassFolder():
            return open_class_folder(config, root)
        case Shards():
            return open_shards(config, root)


def open_sources(configs: Sequence[SourceConfig], root: Path) -> Source:
    """All sources of a recipe as one. Raises InputError, MissingExtra."""
    return Mix([open_source(config, root) for config in configs], [config.weight for config in configs])


class Mix:
    """Each position draws one of the sources by weight, and takes that source's next sample.

    Every source goes through its own passes at its own pace: a small one with a large weight repeats itself sooner. One source
    alone is passed through unchanged.
    """

    def __init__(self, sources: Sequence[Source], weights: Sequence[float]) -> None:
        if not sources:
            raise InputError("expected at least one source of samples, got none")
        for _, weight in zip(sources, weights, strict=True):
            check_weight(weight)
        self.sources = tuple(sources)
        self._upto = np.cumsum(weights, dtype=np.float64) / np.sum(weights, dtype=np.float64)
        self.name = ", ".join(source.name for source in sources)

    def __len__(self) -> int:
        return sum(len(source) for source in self.sources)

    def stream(self, seed: int, start: int = 0) -> Iterator[Sample | Fault]:
        if len(self.sources) == 1:
            return self.sources[0].stream(seed, start)
        return self._mixed(seed, start)

    def once(self) -> Iterator[Sample | Fault]:
        return chain.from_iterable(source.once() for source in self.sources)

    def _mixed(self, seed: int, start: int) -> Iterator[Sample | Fault]:
        first, offset = divmod(start, BLOCK)
        begun = np.zeros(len(self.sources), dtype=np.int64)  # samples that each source gave before `start`
        for block in range(first):
            begun += np.bincount(self._drawn(seed, block), minlength=len(begun))
        begun += np.bincount(self._drawn(seed, first)[:offset], minlength=len(begun))
        seeds = [int(np.random.SeedSequence((seed, number, CHILD)).generate_state(1)[0]) for number in range(len(begun))]
        streams = [s.stream(own, at) for s, own, at in zip(self.sources, seeds, begun.tolist(), strict=True)]
        for block in count(first):
            for number in self._drawn(seed, block)[offset:].tolist():
                yield next(streams[number])
            offset = 0

    def _drawn(self, seed: int, block: int) -> np.ndarray:
        """(BLOCK,) numbers of sources."""
        chances = np.random.default_rng((seed, block, DRAW)).random(BLOCK)
        return np.asarray(np.sum([chances >= edge for edge in self._upto[:-1]], axis=0, dtype=np.int64))
