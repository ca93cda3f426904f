"""Files as one ZIP, made while it is sent: it is never whole anywhere."""

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

PIECE = 1 << 20
FIRST, LAST = 1980, 2107  # years that a ZIP can tell
EVERYBODY_READS = 0o644 << 16


@dataclass(frozen=True)
class Exported:
    """A file, and when its picture was taken, such as 2024-05-17T18:30:05; None where nobody knows."""

    path: Path
    taken_at: str | None


class _Sent(io.RawIOBase):
    """What was written since it was last taken. It cannot go back, so sizes follow their files."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        part = bytes(data)  # type: ignore[call-overload]
        self._parts.append(part)
        return len(part)

    def take(self) -> bytes:
        parts, self._parts = self._parts, []
        return b"".join(parts)


def archive(files: Sequence[Exported]) -> Iterator[bytes]:
    """The bytes of a ZIP of files, by names that every system takes; of equal names the second has a number. Each has the date
    that its picture was taken, or else its file's. A file that went away meanwhile is left out. Pictures are stored as they
    are: they are compressed already."""
    sent, names = _Sent(), set[str]()
    with zipfile.ZipFile(sent, "w", zipfile.ZIP_STORED) as whole:
        for file in files:
            try:
                source = file.path.open("rb")
            except OSError:
                continue
            with source:
                entry = zipfile.ZipInfo(_free(portable(file.path.name), names), _date(file, os.fstat(source.fileno()).st_mtime))
                entry.external_attr = EVERYBODY_READS
                with whole.open(entry, "w", force_zip64=True) as target:
                    while piece := source.read(PIECE):
                        target.write(piece)
                        yield sent.take()
    yield sent.take()


def _date(file: Exported, changed: float) -> tuple[int, int, int, int, int, int]:
    """As clocks showed it: a ZIP knows no zones."""
    taken = time.localtime(changed)[:6]
    if file.taken_at is not None:
        with contextlib.suppress(ValueError):
            taken = datetime.fromisoformat(file.taken_at).timetuple()[:6]
    if taken[0] < FIRST:
        return FIRST, 1, 1, 0, 0, 0
    return (LAST, 12, 31, 23, 59, 58) if taken[0] > LAST else taken


def _free(name: str, names: set[str]) -> str:
    stem, suffix = os.path.splitext(name)
    free, number = name, 1
    while (known := unicodedata.normalize("NFC", free).casefold()) in names:
        number += 1
        free = f"{stem} ({number}){suffix}"
    names.add(known)
    return free
