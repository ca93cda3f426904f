"""Compares the text encoders of one file with those of others, and with the published ones on this machine."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from seesay.checkpoints.diffusion.fingerprint import Fingerprint, fingerprint
from seesay.checkpoints.diffusion.kinship import Kinship, have_one_shape, kinship
from seesay.checkpoints.diffusion.originals import local_originals
from seesay.checkpoints.diffusion.text_encoder import TextEncoderFile
from seesay.checkpoints.diffusion.text_encoders import text_encoders
from seesay.checkpoints.hub.catalog import CatalogModel
from seesay.checkpoints.overrides import Overrides
from seesay.errors import CheckpointError
from seesay.system.progress import Progress

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
    """Each text encoder with those of `others` of its shape, or with the first of another; and with every published one of its
    shape on this machine. Tensors are read where there is something to compare with. Raises CheckpointError, MissingExtra."""
    others = tuple(others)
    stated = [overrides if other.entry is None else Overrides(entry=other.entry) for other in others]
    opened = [(other, text_encoders(other.path, each)) for other, each in zip(others, stated, strict=True)]
    for encoder in encoders:
        own: Fingerprint | None = None
        for other, theirs in (*opened, *_published(encoder, others)):
            same = [each for each in theirs if have_one_shape(encoder, each)]
            for each in same or theirs[:1]:
                own = own or _read(encoder, report, encoder.path.name)
                hashes = _read(each, report, other.name)
                with report(f"{encoder.path.name}, {other.name}") as progress:
                    found = kinship(encoder, each, own, hashes, progress)
                yield Comparison(encoder.name, own.digest, other.name, each.name, other.entry is not None, found)


def _published(encoder: TextEncoderFile, others: Iterable[Other]) -> Iterator[tuple[Other, tuple[TextEncoderFile, ...]]]:
    """Published ones of this shape on this machine, unless they are compared with anyway."""
    known = {other.path.resolve() for other in others}
    for entry, path in local_originals(encoder):
        if path.resolve() in known or path.resolve() == encoder.path.resolve():
            continue
        try:
            yield Other(entry.id, path, entry), text_encoders(path, Overrides(entry=entry))
        except CheckpointError:  # a damaged or half-fetched copy is none to compare with
            continue


def _read(encoder: TextEncoderFile, report: Report, name: str) -> Fingerprint:
    with report(name) as progress:
        return fingerprint(encoder, progress)
