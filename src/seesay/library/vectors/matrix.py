"""The memory-mapped vectors beside the database: derived from it, rebuildable, and never needed for a right answer.

Per space one folder: `current.json` names the generation and how many rows of it are published; `<generation>-<kind>.f32` and
`.ids` hold the rows, in order of vector id. A writer appends, then publishes by replacing current.json in one step, so a
reader sees whole commits only. A deleted vector stays as a row whose id the database no longer knows (a tombstone) until the
next generation; a reader that still maps the old generation is unharmed.
"""

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from seesay.errors import LibraryError
from seesay.system.files import write_atomically

KINDS = ("image", "text")


@dataclass(frozen=True)
class Published:
    """What current.json says. Every vector with an id up to `last_id` is in the matrix, or deleted."""

    generation: int = 0
    last_id: int = 0
    rows: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))


@dataclass(frozen=True)
class Rows:
    """ids (N,) int64, ascending; vectors (N, D) float32."""

    ids: np.ndarray
    vectors: np.ndarray


class Matrix:
    def __init__(self, folder: Path, dim: int) -> None:
        self.folder, self.dim = folder, dim
        self._pointer = folder / "current.json"
        self._read: tuple[int, int, int] | None = None
        self._state = Published()
        self._open: dict[str, tuple[Published, Rows]] = {}

    def published(self) -> Published:
        """The current state; an empty one where nothing usable is there."""
        try:
            status = os.stat(self._pointer)
            version = (status.st_ino, status.st_mtime_ns, status.st_size)
            if self._read != version:  # the pointer is replaced and never edited, so its file tells whether it changed
                state = json.loads(self._pointer.read_bytes())
                self._state = Published(state["generation"], state["last_id"], {kind: state["rows"][kind] for kind in KINDS})
                self._read = version
            return self._state
        except (OSError, ValueError, KeyError, TypeError):
            return Published()

    def rows(self, kind: str, state: Published) -> Rows | None:
        """The published rows of one kind, memory-mapped; None where their files are gone or too short (then rebuild)."""
        if kind in self._open and self._open[kind][0] == state:
            return self._open[kind][1]
        count = state.rows[kind]
        try:
            rows = Rows(
                _map(self._file(state.generation, kind, "ids"), np.dtype("<i8"), (count,)),
                _map(self._file(state.generation, kind, "f32"), np.dtype("<f4"), (count, self.dim)),
            )
        except (OSError, ValueError):
            return None
        self._open[kind] = (state, rows)
        return rows

    # The rest is for the one writer that holds the library's lock.

    def extend(self, new: Iterable[tuple[int, str, bytes]], last_id: int) -> None:
        """Appends (vector id, kind, float32 bytes) in order of id and publishes them together."""
        state = self.published()
        if not all(self.rows(kind, state) is not None for kind in KINDS):
            raise FileNotFoundError(f"{self.folder} is incomplete")
        with self._writing():
            self._append(state, new, last_id)

    def rebuild(self, every: Iterable[tuple[int, str, bytes]], last_id: int) -> None:
        """Writes a new generation from the database's rows, then removes older ones."""
        generation = self.published().generation + 1
        with self._writing():
            self._append(Published(generation), every, last_id)
        for file in self.folder.iterdir():
            if file.suffix in (".f32", ".ids") and not file.name.startswith(f"{generation}-"):
                try:
                    file.unlink()
                except OSError:  # on Windows a reader may still map it; the next rebuild removes it
                    continue

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise LibraryError(
                f"cannot write the vectors beside the library, in {self.folder}: {error.strerror or error}. What was indexed "
                "so far is kept; make room there, or let it be written to, then run: seesay index"
            ) from None

    def _append(self, state: Published, new: Iterable[tuple[int, str, bytes]], last_id: int) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        counts = dict(state.rows)
        files = {(kind, part): self._file(state.generation, kind, part).open("ab") for kind in KINDS for part in ("ids", "f32")}
        try:
            for kind in KINDS:  # drop what an interrupted writer left beyond the published rows
                files[kind, "ids"].truncate(counts[kind] * 8)
                files[kind, "f32"].truncate(counts[kind] * self.dim * 4)
            for vector_id, kind, vector in new:
                files[kind, "ids"].write(np.int64(vector_id).astype("<i8").tobytes())
                files[kind, "f32"].write(vector)
                counts[kind] += 1
            for file in files.values():
                file.flush()
                os.fsync(file.fileno())
        finally:
            for file in files.values():
                file.close()
        write_atomically(self._pointer, json.dumps({"generation": state.generation, "last_id": last_id, "rows": counts}))

    def _file(self, generation: int, kind: str, part: str) -> Path:
        return self.folder / f"{generation}-{kind}.{part}"


def _map(file: Path, dtype: np.dtype, shape: tuple[int, ...]) -> np.ndarray:
    if shape[0] == 0:
        return np.empty(shape, dtype)
    # A plain ndarray view of the mapping: np.memmap's own subclass costs time at every slice.
    return np.asarray(np.memmap(file, dtype=dtype, mode="r", shape=shape))
