"""Small tables and sources that the tests of the data pipeline share."""

import json
from collections.abc import Iterator
from itertools import count, islice
from pathlib import Path
from typing import Any

from seesay.training.data.samples import Sample, SampleFault, SampleSource


def write_rows(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def take(source: SampleSource, n: int, *, seed: int = 0, start: int = 0) -> list[Sample | SampleFault]:
    return list(islice(source.stream(seed, start), n))


def good(items: list[Sample | SampleFault]) -> list[Sample]:
    assert all(isinstance(item, Sample) for item in items), items
    return [item for item in items if isinstance(item, Sample)]


class Numbers:
    """Samples "0", "1", ... in order, pass after pass; those whose number `bad` holds are faults."""

    def __init__(self, n: int, bad: frozenset[int] = frozenset(), name: str = "numbers") -> None:
        self.name, self._n, self._bad = name, n, bad

    def __len__(self) -> int:
        return self._n

    def stream(self, seed: int, start: int = 0) -> Iterator[Sample | SampleFault]:
        return (self._item(number % self._n) for number in count(start))

    def once(self) -> Iterator[Sample | SampleFault]:
        return map(self._item, range(self._n))

    def _item(self, number: int) -> Sample | SampleFault:
        name = f"{self.name} {number}"
        return SampleFault(name, f"is bad ({number})") if number in self._bad else Sample(b"x", str(number), name, None, name)
