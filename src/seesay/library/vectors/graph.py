"""`Graphs`: a finder for one machine, a graph of neighbours in a file (HNSW, Malkov and Yashunin 2018), by the library
usearch.

A graph is memory-mapped by readers, and never changed: a writer loads it, adds rows, writes another file and then the pointer
to it, in one step. `usearch-<numbers>-<kind>.json` is the pointer. Vectors lie in the graph as 8-bit or 16-bit numbers; 8-bit
ones are scaled so that the largest number of the first rows just fits.
"""

import json
import os
import time
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from seesay.errors import LibraryError, MissingExtra
from seesay.library.vectors.approximate import NOTHING, Reach
from seesay.library.vectors.index import Kind
from seesay.library.vectors.view import ArrayView
from seesay.system.cpu import available_cores
from seesay.system.files import atomic_write, file_state, write_atomically
from seesay.system.progress import Progress

if TYPE_CHECKING:
    from usearch.index import Index

Numbers = Literal["i8", "f16"]
CONNECTIVITY = 16  # neighbours of a row
BREADTH = 128  # rows that are looked at to place one
# Rows that are looked at to find some. Pictures near to a single word lie at the edge of all pictures, where a graph misses
# them: among a million, 1024 found 0.92 of ten, 4096 0.98, 8192 0.99 (captions and pictures as queries: 1.00 each time).
SEARCH_BREADTH = 8192
CHUNK = 8192  # rows that are added at once
SAVE_S = 300.0  # a graph of millions is written in a few seconds, and added to for hours
HEAD = 2**16  # bytes whose checksum is compared


class Graphs:
    def __init__(self, folder: Path, dim: int, numbers: Numbers = "i8") -> None:
        _load()
        self.folder, self.dim, self.numbers = folder, dim, numbers
        self.patience = 2000  # extending writes the whole graph again
        self._open: dict[Kind, tuple[object, dict[str, Any], Index | None]] = {}

    @property
    def name(self) -> str:
        return f"usearch {self.numbers}"

    def check(self) -> None:
        """Nothing: it is a file."""

    def reach(self, kind: Kind) -> Reach:
        pointer, graph = self._read(kind)
        return NOTHING if graph is None else Reach(pointer["generation"], pointer["last_id"], pointer["rows"])

    def nearest(self, kind: Kind, query: np.ndarray, count: int) -> np.ndarray:
        pointer, graph = self._read(kind)
        if graph is None:
            return np.empty(0, dtype=np.int64)
        found = graph.search(self._stored(query, pointer["scale"]), min(count, pointer["rows"]), threads=1)
        return np.asarray(found.keys).astype(np.int64)

    def extend(self, kind: Kind, rows: ArrayView, known: Reach, progress: Progress) -> None:
        pointer, _ = self._read(kind)
        graph, scale = self._new(), 0.0
        if known.rows:
            graph.load(os.fspath(self.folder / pointer["file"]))
            scale = pointer["scale"]
        at = int(np.searchsorted(rows.ids, known.last_id, side="right"))
        scale = scale or 127 / max(float(np.abs(rows.read(at, at + CHUNK)).max()), 1e-6)
        written = time.monotonic()
        for start in range(at, len(rows.ids), CHUNK):
            ids = rows.ids[start : start + CHUNK]
            # Added by several threads to an empty graph, its first rows may stay without a neighbour, and are never found.
            threads = available_cores() if len(graph) else 1
            graph.add(ids.astype(np.uint64), self._stored(rows.read(start, start + CHUNK), scale), threads=threads)
            done = start + len(ids)
            progress(done, len(rows.ids))
            if done == len(rows.ids) or time.monotonic() - written >= SAVE_S:
                self._publish(kind, graph, Reach(known.generation, int(ids[-1]), len(graph)), scale)
                written = time.monotonic()

    def drop(self, kind: Kind, ids: np.ndarray, generation: int) -> None:
        """The rows stay in the graph, which would have to be written again, and are passed over."""
        pointer, graph = self._read(kind)
        if graph is not None:
            write_atomically(self._pointer(kind), json.dumps(pointer | {"generation": generation}))

    def _read(self, kind: Kind) -> "tuple[dict[str, Any], Index | None]":
        """The pointer and the graph, memory-mapped; no graph where there is none, or a damaged one."""
        state = file_state(self._pointer(kind))
        if kind in self._open and self._open[kind][0] == state:
            return self._open[kind][1:]
        pointer, graph = dict[str, Any](), None
        try:
            pointer = json.loads(self._pointer(kind).read_bytes())
            file = self.folder / pointer["file"]
            if _fingerprint(file) == pointer["fingerprint"]:
                graph = self._new()
                graph.view(os.fspath(file))
                graph = graph if len(graph) == pointer["rows"] else None
        except (OSError, ValueError, KeyError, TypeError, RuntimeError):
            graph = None
        self._open[kind] = (state, pointer, graph)
        return pointer, graph

    def _publish(self, kind: Kind, graph: "Index", reach: Reach, scale: float) -> None:
        """Writes the graph, then the pointer to it, and deletes earlier graphs."""
        file = self.folder / f"usearch-{self.numbers}-{kind}-{reach.generation}-{reach.last_id}.graph"
        try:
            with atomic_write(file, durable=True) as draft:
                graph.save(os.fspath(draft))
            pointer = reach._asdict() | {"file": file.name, "scale": scale, "fingerprint": _fingerprint(file)}
            write_atomically(self._pointer(kind), json.dumps(pointer))
        except (OSError, RuntimeError) as error:
            raise LibraryError(
                f"cannot write the graph beside the library, in {self.folder}: {error}. Searches compare with every picture "
                "until it is written; make room there, then run: seesay index"
            ) from None
        for old in self.folder.glob(f"usearch-{self.numbers}-{kind}-*.graph*"):
            if old != file:
                try:
                    old.unlink()
                except OSError:  # on Windows a reader may still map it; the next graph removes it
                    continue

    def _new(self) -> "Index":
        return _load()(
            ndim=self.dim,
            metric="cos",
            dtype=self.numbers,
            connectivity=CONNECTIVITY,
            expansion_add=BREADTH,
            expansion_search=SEARCH_BREADTH,
        )

    def _stored(self, vectors: np.ndarray, scale: float) -> np.ndarray:
        """(..., D) float32 -> the numbers of the graph."""
        if self.numbers == "f16":
            return vectors.astype(np.float16)
        return np.clip(np.rint(vectors * np.float32(scale)), -127, 127).astype(np.int8)

    def _pointer(self, kind: Kind) -> Path:
        return self.folder / f"usearch-{self.numbers}-{kind}.json"


def _load() -> "type[Index]":
    """The library's class. Raises MissingExtra."""
    import onnxruntime  # noqa: F401  # first: loaded after usearch 2.26 it ends the process (both bring a C++ runtime's symbols)

    try:
        from usearch.index import Index
    except ImportError:
        raise MissingExtra("an index by usearch", "ann") from None
    return Index


def _fingerprint(file: Path) -> list[int]:
    """The size of a file and the checksum of its beginning: enough to see one that was cut short or is another."""
    with file.open("rb") as stream:
        return [os.fstat(stream.fileno()).st_size, zlib.crc32(stream.read(HEAD))]
