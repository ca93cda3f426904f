"""A source whose pictures and texts are all known beforehand."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Literal

import numpy as np

from seesay.system.paths import is_url, printable
from seesay.training.data.samples import Sample
from seesay.training.data.texts import Texts

# What one seed is used for; the numbers keep the draws apart. 0 would not: a seed sequence ignores zeros at its end.
ORDER, TEXT = 1, 2


@dataclass(frozen=True, slots=True)
class Entry:
    """One picture. `image` is a path or a URL; `texts` may be shared by many entries."""

    image: str
    image_id: str
    label: str | None
    texts: Texts


class Listing:
    """texts "draw": a pass holds each picture once, with one of its texts; "all": each pair of a picture and a text once."""

    def __init__(self, name: str, entries: Sequence[Entry], texts: Literal["draw", "all"], *, augment: bool = True) -> None:
        self.name, self._augment = name, augment
        self._entries = entries
        counts = np.array([len(entry.texts.texts) for entry in entries])
        # For "all": the entry of every pair, and the number of the first pair of every entry.
        self._owners = np.repeat(np.arange(len(entries)), counts) if texts == "all" else None
        self._firsts = np.cumsum(counts) - counts

    def __len__(self) -> int:
        return len(self._entries) if self._owners is None else len(self._owners)

    def stream(self, seed: int, start: int = 0) -> Iterator[Sample]:
        first, offset = divmod(start, len(self))
        for number in count(first):
            order = np.random.default_rng((seed, number, ORDER)).permutation(len(self))[offset:]
            offset = 0
            if self._owners is None:
                chances = np.random.default_rng((seed, number, TEXT)).random(len(self))[order]
                for index, chance in zip(order.tolist(), chances.tolist(), strict=True):
                    entry = self._entries[index]
                    yield self._sample(entry, entry.texts.drawn(chance))
                continue
            for pair in order.tolist():
                index = self._owners[pair]
                entry = self._entries[index]
                yield self._sample(entry, entry.texts.texts[pair - self._firsts[index]])

    def once(self) -> Iterator[Sample]:
        for entry in self._entries:
            for text in entry.texts.texts:
                yield self._sample(entry, text)

    def _sample(self, entry: Entry, text: str) -> Sample:
        if is_url(entry.image):
            from seesay.images.fetch import printable_url  # http and TLS: no local file needs them

            return Sample(entry.image, text, entry.image_id, entry.label, printable_url(entry.image), self._augment)
        return Sample(Path(entry.image), text, entry.image_id, entry.label, printable(entry.image), self._augment)
