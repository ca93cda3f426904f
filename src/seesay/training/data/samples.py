"""What training reads: samples of one picture with one text, and the sources that yield them."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Sample:
    """One picture with one of its texts.

    image: what `images.read` takes: a path, a URL or encoded bytes. text: without white space at its ends; equal texts are the
    same text. image_id: equal ones are the same picture. label: its class, where the source knows one. name: for messages.
    augment: whether chance may change the picture.
    """

    image: Path | str | bytes
    text: str
    image_id: str
    label: str | None
    name: str
    augment: bool = True


@dataclass(frozen=True, slots=True)
class Fault:
    """What a source yields in the place of a sample that it cannot make. `reason` is without the name."""

    name: str
    reason: str


class Source(Protocol):
    """Samples, pass after pass. Everything that is drawn depends on the seed and the pass alone, so that any run can resume."""

    @property
    def name(self) -> str:
        """For messages."""
        ...

    def __len__(self) -> int:
        """Samples in one pass, faults included; at least 1."""
        ...

    def stream(self, seed: int, start: int = 0) -> Iterator[Sample | Fault]:
        """Endless: each pass in its own order. Begins with the `start`-th sample, at far less than the price of making all."""
        ...

    def once(self) -> Iterator[Sample | Fault]:
        """Every pair of a picture and a text once, in order: for validation and for computing vectors beforehand."""
        ...
