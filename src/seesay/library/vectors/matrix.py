"""The exact index: a memory-mapped matrix per kind beside the database.

`current.json` names the generation and how many rows of it are published; `<generation>-<kind>.f32` and `.ids` hold the rows,
in order of id. A writer appends, then publishes by replacing current.json in one step, so a reader sees whole commits only. A
reader that still maps an old generation is unharmed when a new one replaces it.
"""

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from seesay.errors import LibraryError
from seesay.library.vectors.index import EMPTY, KINDS, IndexState, Kind, VectorRow, is_complete
from seesay.library.vectors.view import ArrayView
from seesay.system.files import write_atomically
from seesay.system.progress import Progress

CHUNK = 4096  # rows that are copied at once


class Matrix:
    name = "exact"

    def __init__(self, folder: Path, dim: int) -> None:
        self.folder, self.dim = folder, dim
        self._pointer = folder / "current.json"
        self._version: tuple[int, int, int] | None = None  # of the pointer's file that `_state` was read from
        self._state = EMPTY
        self._views: dict[Kind, tuple[IndexState, ArrayView]] = {}

    def state(self) -> IndexState:
        try:
            status = os.stat(self._pointer)
            version = (status.st_ino, status.st_mtime_ns, status.st_size)
            if self._version != version:  # the pointer is replaced and never edited, so its file shows whether it changed
                stored = json.loads(self._pointer.read_bytes())
                counts: dict[str, int] = {kind: stored["rows"][kind] for kind in KINDS}
                self._state = IndexState(stored["generation"], stored["last_id"], counts)
                self._version = version
            return self._state
        except (OSError, ValueError, KeyError, TypeError):
            return EMPTY

    def view(self, kind: Kind, state: IndexState) -> ArrayView | None:
        """The rows, memory-mapped; None where their files are gone or too short."""
        if kind in self._views and self._views[kind][0] == state:
            return self._views[kind][1]
        count = state.counts[kind]
        try:
            view = ArrayView(
                _map(self._file(state.generation, kind, "ids"), np.dtype("<i8"), (count,)),
                _map(self._file(state.generation, kind, "f32"), np.dtype("<f4"), (count, self.dim)),
            )
        except (OSError, ValueError):
            return None
        self._views[kind] = (state, view)
        return view

    def add(self, rows: Iterable[VectorRow], last_id: int) -> None:
        state = self.state()
        with self._reporting():
            if not is_complete(self, state):
                raise FileNotFoundError(f"{self.folder} is incomplete")
            self._append(state, rows, last_id)

    def replace_all(self, rows: Iterable[VectorRow], last_id: int) -> None:
        generation = self.state().generation + 1
        with self._reporting():
            self._append(IndexState(generation, 0, EMPTY.counts), rows, last_id)
        self._delete_but(generation)

    def remove(self, ids: np.ndarray) -> None:
        state = self.state()
        self.replace_all(self._rows_without(state, ids), state.last_id)

    def check(self) -> None:
        """Nothing: it is always there."""

    def build(self, progress: Progress | None = None) -> None:
        """Nothing: it compares with every row."""

    def _rows_without(self, state: IndexState, ids: np.ndarray) -> Iterator[VectorRow]:
        for kind in KINDS:
            view = self.view(kind, state)
            if view is None:
                raise FileNotFoundError(f"{self.folder} is incomplete")
            for start in range(0, len(view.ids), CHUNK):
                own, vectors = view.ids[start : start + CHUNK], view.read(start, start + CHUNK)
                for at in np.flatnonzero(~np.isin(own, ids)).tolist():
                    yield VectorRow(int(own[at]), kind, vectors[at].tobytes())

    def _delete_but(self, generation: int) -> None:
        for file in self.folder.iterdir():
            if file.suffix in (".f32", ".ids") and not file.name.startswith(f"{generation}-"):
                try:
                    file.unlink()
                except OSError:  # on Windows a reader may still map it; the next generation removes it
                    continue

    @contextmanager
    def _reporting(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise LibraryError(
                f"cannot write the vectors beside the library, in {self.folder}: {error.strerror or error}. What was indexed "
                "so far is kept; make room there, or let it be written to, then run: seesay index"
            ) from None

    def _append(self, state: IndexState, rows: Iterable[VectorRow], last_id: int) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        counts = dict(state.counts)
        files = {(kind, part): self._file(state.generation, kind, part).open("ab") for kind in KINDS for part in ("ids", "f32")}
        try:
            for kind in KINDS:  # drop what an interrupted writer left beyond the published rows
                files[kind, "ids"].truncate(counts[kind] * 8)
                files[kind, "f32"].truncate(counts[kind] * self.dim * 4)
            for row in rows:
                files[row.kind, "ids"].write(np.int64(row.id).astype("<i8").tobytes())
                files[row.kind, "f32"].write(row.vector)
                counts[row.kind] += 1
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
