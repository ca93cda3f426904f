"""Files of vectors: `.npz`, `.jsonl` and `.parquet`, chosen by the suffix (`open_output`)."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Protocol

import numpy as np

from seesay.library.embedding.encode import Row
from seesay.library.embedding.kept import KeptTable
from seesay.library.embedding.table import Origin
from seesay.system.files import atomic_write, write_npz

SUFFIXES = (".npz", ".jsonl", ".parquet")


class Output(Protocol):
    """A file of vectors that is being written. done: keys of the rows that need not be made again."""

    done: set[bytes]

    def add(self, rows: Sequence[Row]) -> None:
        """Takes rows, in order."""
        ...

    def finish(self, wanted: set[bytes]) -> int:
        """Completes the file -> its rows, which are those of the wanted keys."""
        ...


@contextmanager
def open_output(file: Path, origin: Origin) -> Iterator[Output]:
    """The output of a name that ends in one of SUFFIXES; a reader sees the old file or the whole new one.

    Raises InputError, MissingExtra, OSError.
    """
    suffix = file.suffix.lower()
    if suffix == ".parquet":
        with KeptTable(file, origin) as table:
            yield table
    elif suffix == ".jsonl":
        with atomic_write(file) as draft, draft.open("w", encoding="utf-8", errors="surrogatepass") as stream:
            yield JsonLines(stream, origin)
    else:
        yield Npz(file, origin)


class Npz:
    """vectors (N, D) float32; path, text (N,) str, empty where there is none; line (N,) int64, 0 where there is none.

    All rows wait in memory, because an archive of numpy arrays says their lengths first.
    """

    def __init__(self, file: Path, origin: Origin) -> None:
        self.done: set[bytes] = set()
        self._file, self._origin = file, origin
        self._rows: list[Row] = []

    def add(self, rows: Sequence[Row]) -> None:
        """See `Output`."""
        self._rows += rows

    def finish(self, wanted: set[bytes]) -> int:
        """See `Output`."""
        rows, dim = self._rows, self._origin.dim
        arrays = {
            "vectors": np.stack([row.vector for row in rows]) if rows else np.empty((0, dim), dtype=np.float32),
            "path": np.array([row.item.path or "" for row in rows], dtype=np.str_),
            "text": np.array([row.item.text or "" for row in rows], dtype=np.str_),
            "line": np.array([row.item.line or 0 for row in rows], dtype=np.int64),
            "space_id": np.array(self._origin.space_id),
            "build_id": np.array(self._origin.build_id),
        }
        with atomic_write(self._file) as draft:
            write_npz(draft, arrays)
        return len(rows)


class JsonLines:
    """An object per line with path, line, text (those that there are), space_id and vector."""

    def __init__(self, stream: IO[str], origin: Origin) -> None:
        self.done: set[bytes] = set()
        self._stream, self._origin, self._count = stream, origin, 0

    def add(self, rows: Sequence[Row]) -> None:
        """See `Output`."""
        for row in rows:
            facts: dict[str, Any] = {"path": row.item.path, "line": row.item.line, "text": row.item.text}
            source = {name: value for name, value in facts.items() if value is not None}
            record = {**source, "space_id": self._origin.space_id, "vector": [float(x) for x in row.vector]}
            self._stream.write(json.dumps(record) + "\n")
        self._count += len(rows)

    def finish(self, wanted: set[bytes]) -> int:
        """See `Output`."""
        return self._count
