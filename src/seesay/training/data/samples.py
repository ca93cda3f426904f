"""Training samples (one image with one caption), and the protocol of the sources that yield them."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Sample:
    """One image with one of its captions.

    image: what `images.read` accepts: a path, a URL or encoded bytes. text: stripped of white space; equal strings are the same
    caption. image_id: equal for samples that show the same image. label: the class, if the source has one. name: for messages.
    augment: whether random augmentation may change the image.
    """

    image: Path | str | bytes
    text: str
    image_id: str
    label: str | None
    name: str
    augment: bool = True


@dataclass(frozen=True, slots=True)
class SampleFault:
    """Stands for a sample that a source cannot read. `reason` does not repeat the name."""

    name: str
    reason: str


class SampleSource(Protocol):
    """An endless stream of samples, epoch after epoch.

    Random choices depend on seed and epoch alone, so that runs can resume.
    """

    @property
    def name(self) -> str:
        """For messages."""
        ...

    def __len__(self) -> int:
        """Samples per epoch, faults included; at least 1."""
        ...

    def stream(self, seed: int, start: int = 0) -> Iterator[Sample | SampleFault]:
        """Endless, each epoch in its own order. Begins at sample number `start` far faster than by reading all before it."""
        ...

    def once(self) -> Iterator[Sample | SampleFault]:
        """Every pair of an image and a caption once, in order: to precompute features and to number classes."""
        ...
