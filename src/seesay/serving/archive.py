"""Files as one ZIP, made while it is sent: it is never whole anywhere."""

import io
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

PIECE = 1 << 20


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


def archive(paths: Sequence[Path]) -> Iterator[bytes]:
    """The bytes of a ZIP of files, by their names; of equal names the second has a number. A file that went away meanwhile is
    left out. Pictures are stored as they are: they are compressed already."""
    sent, names = _Sent(), set[str]()
    with zipfile.ZipFile(sent, "w", zipfile.ZIP_STORED) as whole:
        for path in paths:
            try:
                source = path.open("rb")
            except OSError:
                continue
            with source, whole.open(zipfile.ZipInfo(_free(path, names)), "w", force_zip64=True) as target:
                while piece := source.read(PIECE):
                    target.write(piece)
                    yield sent.take()
    yield sent.take()


def _free(path: Path, names: set[str]) -> str:
    name, number = path.name, 1
    while name.lower() in names:
        number += 1
        name = f"{path.stem} ({number}){path.suffix}"
    names.add(name.lower())
    return name
