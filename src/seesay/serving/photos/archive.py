"""A ZIP of files, streamed while it is made: it is never whole in memory or on disk."""

import contextlib
import io
import os
import time
import unicodedata
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from seesay.serving.photos.filenames import portable

PIECE_BYTES = 2**20  # read at once
FIRST_YEAR = 1980  # of the dates that a ZIP can hold
LAST_YEAR = 2107
READABLE_BY_ALL = 0o644 << 16  # Unix permissions, in a ZIP's attributes


@dataclass(frozen=True)
class Exported:
    """A file to export. taken_at: when its image was taken, such as 2024-05-17T18:30:05; None if unknown."""

    path: Path
    taken_at: str | None


class _Buffer(io.RawIOBase):
    """Collects what is written until it is taken. It cannot seek, so zipfile writes sizes behind their files."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        part = bytes(data)  # type: ignore[call-overload]
        self._parts.append(part)
        return len(part)

    def take(self) -> bytes:
        """Everything written since the last call."""
        parts, self._parts = self._parts, []
        return b"".join(parts)


def archive(files: Sequence[Exported]) -> Iterator[bytes]:
    """Yields the bytes of a ZIP of files.

    Names are valid on every system; of equal names the second has a number. An entry's date is when its image was taken, else
    its file's. Files that are missing now are left out. Images are stored uncompressed: they are compressed already.
    """
    buffer, names = _Buffer(), set[str]()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive_file:
        for file in files:
            try:
                source = file.path.open("rb")
            except OSError:
                continue
            with source:
                entry = zipfile.ZipInfo(
                    _unique(portable(file.path.name), names), _date(file, os.fstat(source.fileno()).st_mtime)
                )
                entry.external_attr = READABLE_BY_ALL
                with archive_file.open(entry, "w", force_zip64=True) as target:
                    while piece := source.read(PIECE_BYTES):
                        target.write(piece)
                        yield buffer.take()
    yield buffer.take()


def _date(file: Exported, modified_at: float) -> tuple[int, int, int, int, int, int]:
    """A ZIP holds local time without a zone."""
    date = time.localtime(modified_at)[:6]
    if file.taken_at is not None:
        with contextlib.suppress(ValueError):
            date = datetime.fromisoformat(file.taken_at).timetuple()[:6]
    if date[0] < FIRST_YEAR:
        return FIRST_YEAR, 1, 1, 0, 0, 0
    return (LAST_YEAR, 12, 31, 23, 59, 58) if date[0] > LAST_YEAR else date


def _unique(name: str, names: set[str]) -> str:
    stem, suffix = os.path.splitext(name)
    unique, number = name, 1
    while (folded := unicodedata.normalize("NFC", unique).casefold()) in names:
        number += 1
        unique = f"{stem} ({number}){suffix}"
    names.add(folded)
    return unique
