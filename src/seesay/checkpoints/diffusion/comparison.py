"""Compares the text encoders of one file with those of others, and with the published ones on this machine."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from seesay.checkpoints.diffusion.fingerprint import Fingerprint, fingerprint
from seesay.checkpoints.diffusion.kinship import Kinship, have_one_shape, kinship
from seesay.checkpoints.diffusion.originals import local_originals, original_of
from seesay.checkpoints.diffusion.text_encoder import TextEncoderFile
from seesay.checkpoints.diffusion.text_encoders import text_encoders
from seesay.checkpoints.hub.catalog import CatalogModel
from seesay.checkpoints.overrides import Overrides
from seesay.errors import CheckpointError
from seesay.system.progress import Progress

SAME = ("equal", "rounded")  # relations of copies
Report = Callable[[str], AbstractContextManager[Progress | None]]  # of a step, by what it is done to


class Other(NamedTuple):
    """A file or folder to compare with. entry: of a published model, in the catalogue."""

    name: str
    path: Path
    entry: CatalogModel | None = None


@dataclass(frozen=True)
class Comparison:
    """One text encoder beside another. fingerprint: of the first (`Fingerprint.digest`)."""

    encoder: str
    fingerprint: str
    other: str
    other_encoder: str
    is_published: bool
    kinship: Kinship


def compare(
    encoders: Iterable[TextEncoderFile], others: Iterable[Other], overrides: Overrides, report: Report
) -> Iterator[Comparison]:
    """Each text encoder with those of `others` of its shape, or with the first of another; and with published ones of its shape
    on this machine, the likely original first, until one is equal.

    Tensors are read where there is something to compare with. Raises CheckpointError, MissingExtra.
    """
    others = tuple(others)
    stated = [overrides if other.entry is None else Overrides(entry=other.entry) for other in others]
    opened = [(other, text_encoders(other.path, each)) for other, each in zip(others, stated, strict=True)]
    for encoder in encoders:
        own = _Own(encoder, report)
        for other, theirs in opened:
            same = [each for each in theirs if have_one_shape(encoder, each)]
            yield from (own.beside(other, each) for each in same or theirs[:1])
        for other, theirs in _published(encoder, others):
            found = [own.beside(other, each) for each in theirs]
            yield from found
            if any(each.kinship.relation in SAME and not each.kinship.unlike for each in found):
                break


class _Own:
    """A text encoder whose tensors are hashed when they are first needed."""

    def __init__(self, encoder: TextEncoderFile, report: Report) -> None:
        self._encoder, self._report = encoder, report

    @cached_property
    def _hashes(self) -> Fingerprint:
        return self._read(self._encoder, self._encoder.path.name)

    def beside(self, other: Other, encoder: TextEncoderFile) -> Comparison:
        """The comparison with another's text encoder."""
        own, theirs = self._hashes, self._read(encoder, other.name)
        with self._report(f"{self._encoder.path.name}, {other.name}") as progress:
            found = kinship(self._encoder, encoder, own, theirs, progress)
        return Comparison(self._encoder.name, own.digest, other.name, encoder.name, other.entry is not None, found)

    def _read(self, encoder: TextEncoderFile, name: str) -> Fingerprint:
        with self._report(name) as progress:
            return fingerprint(encoder, progress)


def _published(encoder: TextEncoderFile, others: Iterable[Other]) -> Iterator[tuple[Other, tuple[TextEncoderFile, ...]]]:
    """Published ones of this shape on this machine, unless they are compared with anyway."""
    known = {encoder.path.resolve(), *(other.path.resolve() for other in others)}
    likely = original_of(encoder)
    for entry, path in sorted(local_originals(encoder), key=lambda found: found[0].id != likely):
        if path.resolve() in known:
            continue
        try:
            yield Other(entry.id, path, entry), text_encoders(path, Overrides(entry=entry))
        except CheckpointError:  # a damaged or half-fetched copy is none to compare with
            continue
