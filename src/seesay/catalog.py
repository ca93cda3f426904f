"""From a model's name to its folder. Until checkpoints can be fetched, that is the bundled model or a folder of your own."""

import os
from dataclasses import dataclass
from pathlib import Path

from seesay.errors import ModelError

BUNDLED = Path(__file__).parent / "bundled"


@dataclass(frozen=True)
class Entry:
    name: str
    folder: Path


ENTRIES = (Entry("bundled", BUNDLED),)


def find(model: str | os.PathLike[str] | None) -> Path:
    """Where a model lies: a catalogue name, or the path of a folder or file; None is the bundled model. Raises ModelError."""
    if model is None:
        return BUNDLED
    for entry in ENTRIES:
        if model == entry.name:
            return entry.folder
    path = Path(model)
    if path.exists():
        return path
    names = ", ".join(entry.name for entry in ENTRIES)
    raise ModelError(f"no model {os.fspath(model)!r}: it is neither in the catalogue ({names}) nor an existing file or folder")
