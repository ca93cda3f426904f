"""`Milvus`: a finder in a Milvus server, or in Milvus Lite, which is a folder for one process at a time.

Each kind is a collection, `seesay_<space>_<kind>`, of ids and vectors under an HNSW index. A file beside the matrix,
`milvus-<kind>.json`, says how far it was filled; a collection that holds less than that was lost, and is made anew. Filters are
not sent there: the library knows dates, folders and tags, and the ids that pass them may be millions.
"""

import json
import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import numpy as np

from seesay.errors import InputError, LibraryError, MissingExtra, first_sentence
from seesay.library.vectors.approximate import NOTHING, Reach
from seesay.library.vectors.index import Kind
from seesay.library.vectors.view import ArrayView
from seesay.system.files import file_state, write_atomically
from seesay.system.progress import Progress

if TYPE_CHECKING:
    from pymilvus import MilvusClient

TOKEN = "SEESAY_MILVUS_TOKEN"  # the variable that has the password, which is stored nowhere
PORT = 19530
CONNECT_S = 3.0  # until a server that does not answer is given up
SEARCH_S = 10.0
WRITE_S = 120.0
ROWS = 1000  # that are sent at once: 2 MB of 512 numbers each
SAVE = 50  # such batches between two states that a killed run goes on from
MOST = 16_384  # that Milvus returns for a query
GRAPH = {"M": 16, "efConstruction": 128}
SCHEMES = ("http", "https", "tcp")


class Milvus:
    """where: the address of a server, such as http://host:19530, or a path that ends in .db, for Milvus Lite."""

    patience = 0
    name = "milvus"

    def __init__(self, folder: Path, dim: int, where: str) -> None:
        check_address(where)
        os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # it would print that an idle connection was closed, and opens another
        try:
            import pymilvus  # noqa: F401
        except ImportError:
            raise MissingExtra("an index in Milvus", "milvus") from None
        self.folder, self.dim, self.where = folder, dim, where
        self._connected: MilvusClient | None = None
        self._checked: dict[Kind, tuple[object, Reach]] = {}

    def check(self) -> None:
        with self._reporting():
            self._client().list_collections(timeout=SEARCH_S)

    def reach(self, kind: Kind) -> Reach:
        state = file_state(self._pointer(kind))
        if kind not in self._checked or self._checked[kind][0] != state:
            self._checked[kind] = (state, self._counted(kind))
        return self._checked[kind][1]

    def nearest(self, kind: Kind, query: np.ndarray, count: int) -> np.ndarray:
        count = min(count, MOST, max(self.reach(kind).rows, 1))
        with self._reporting():
            (hits,) = self._client().search(
                self._collection(kind),
                [query.tolist()],
                limit=count,
                output_fields=["id"],
                search_params={"params": {"ef": max(count, GRAPH["efConstruction"])}},
                timeout=SEARCH_S,
            )
        return np.array([hit["id"] for hit in hits], dtype=np.int64)

    def extend(self, kind: Kind, rows: ArrayView, known: Reach, progress: Progress) -> None:
        name, held = self._collection(kind), known.rows
        with self._reporting():
            client = self._client()
            if known.rows:  # what a killed run wrote behind the last state that it kept
                client.delete(name, filter=f"id > {known.last_id}", timeout=WRITE_S)
            else:
                self._make(client, name)
            at = int(np.searchsorted(rows.ids, known.last_id, side="right"))
            for number, start in enumerate(range(at, len(rows.ids), ROWS), start=1):
                ids = rows.ids[start : start + ROWS].tolist()
                vectors = rows.read(start, start + ROWS).astype(np.float32, copy=False)
                batch = [{"id": each, "vector": vector} for each, vector in zip(ids, vectors, strict=True)]
                client.insert(name, batch, timeout=WRITE_S)
                held += len(ids)
                done = start + len(ids)
                progress(done, len(rows.ids))
                if done == len(rows.ids) or number % SAVE == 0:
                    client.flush(name, timeout=WRITE_S)
                    self._write(kind, Reach(known.generation, ids[-1], held))

    def drop(self, kind: Kind, ids: np.ndarray, generation: int) -> None:
        reach = self.reach(kind)
        with self._reporting():
            client, name = self._client(), self._collection(kind)
            for start in range(0, len(ids), ROWS):
                client.delete(name, ids=ids[start : start + ROWS].tolist(), timeout=WRITE_S)
            held = _count(client, name)
        self._write(kind, Reach(generation, reach.last_id, held))

    def _make(self, client: "MilvusClient", name: str) -> None:
        """An empty collection, in place of one that may be there."""
        from pymilvus import DataType

        if client.has_collection(name, timeout=SEARCH_S):
            client.drop_collection(name, timeout=WRITE_S)
        schema = client.create_schema(auto_id=False)
        schema.add_field("id", DataType.INT64, is_primary=True)
        schema.add_field("vector", DataType.FLOAT_VECTOR, dim=self.dim)
        indexes = client.prepare_index_params()
        indexes.add_index("vector", index_type="HNSW", metric_type="IP", params=GRAPH)
        client.create_collection(
            name, schema=schema, index_params=indexes, consistency_level="Strong", timeout=WRITE_S
        )  # strong: a search sees what was written before it

    def _counted(self, kind: Kind) -> Reach:
        """What the pointer says, where the collection holds that much."""
        try:
            stored = json.loads(self._pointer(kind).read_bytes())
            reach = Reach(stored["generation"], stored["last_id"], stored["rows"])
            if stored["where"] != self.where:
                return NOTHING
        except (OSError, ValueError, KeyError, TypeError):
            return NOTHING
        with self._reporting():
            client, name = self._client(), self._collection(kind)
            held = 0
            if client.has_collection(name, timeout=SEARCH_S):
                client.load_collection(name, timeout=WRITE_S)  # Milvus Lite has released it at its end
                held = _count(client, name)
        return reach if held >= reach.rows else NOTHING

    def _write(self, kind: Kind, reach: Reach) -> None:
        write_atomically(self._pointer(kind), json.dumps(reach._asdict() | {"where": self.where}))

    def _pointer(self, kind: Kind) -> Path:
        return self.folder / f"milvus-{kind}.json"

    def _collection(self, kind: Kind) -> str:
        return f"seesay_{self.folder.name}_{kind}"

    def _client(self) -> "MilvusClient":
        """The connection, opened when first needed."""
        if self._connected is None:
            lite = self.where.endswith(".db")
            self._connected = _open_lite(Path(self.where)) if lite else _open_server(self.where)
        return self._connected

    @contextmanager
    def _reporting(self) -> Iterator[None]:
        """Turns whatever the client raises into one LibraryError that says what to do."""
        from grpc import RpcError
        from pymilvus.exceptions import MilvusException

        try:
            with _quiet("pymilvus", "milvus_lite"):
                yield
        except (MilvusException, RpcError, OSError, ValueError) as error:
            self._connected = None
            self._checked.clear()
            reason = error.message if isinstance(error, MilvusException) else getattr(error, "strerror", None)
            raise _absent(self.where, reason or first_sentence(error) or type(error).__name__) from None


def check_address(where: str) -> None:
    """Raises InputError for an address that is none, or has a password in it, which would be stored and shown."""
    expected = "the address of a Milvus server, such as http://host:19530, or a path that ends in .db, for Milvus Lite"
    if "://" not in where and where.endswith(".db"):
        return
    try:
        parts = urlsplit(where)
        valid = parts.scheme in SCHEMES and bool(parts.hostname) and (parts.port or PORT) > 0
    except ValueError:
        valid = False
    if not valid:
        raise InputError(f"milvus: expected {expected}, got {where!r}", parameter="milvus", expected=expected, got=where)
    if parts.username or parts.password or parts.query:
        raise InputError(
            f"milvus: expected an address without a password; put it into the variable {TOKEN} as user:password, or a token",
            parameter="milvus",
            expected="an address without a password",
        )


def _open_server(where: str) -> "MilvusClient":
    from pymilvus import MilvusClient

    parts = urlsplit(where)
    # The client would wait long for a machine that does not answer.
    socket.create_connection((parts.hostname or "", parts.port or PORT), timeout=CONNECT_S).close()
    return MilvusClient(where, token=os.environ.get(TOKEN, ""), timeout=SEARCH_S)


def _open_lite(path: Path) -> "MilvusClient":
    from pymilvus import MilvusClient

    try:
        import milvus_lite  # noqa: F401
    except ImportError:
        raise MissingExtra("Milvus Lite", "milvus") from None
    return MilvusClient(str(path))


def _count(client: "MilvusClient", name: str) -> int:
    rows: list[dict[str, Any]] = client.query(name, filter="", output_fields=["count(*)"], timeout=SEARCH_S)
    return int(rows[0]["count(*)"])


@contextmanager
def _quiet(*loggers: str) -> Iterator[None]:
    """Keeps libraries from printing what is raised anyway."""
    before = {name: logging.getLogger(name).level for name in loggers}
    for name in loggers:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)


def _absent(where: str, reason: str) -> LibraryError:
    if where.endswith(".db"):
        return LibraryError(
            f"Milvus Lite at {where} cannot be used: {reason}. One process at a time may use it: end the other one, or run a "
            "Milvus server for several. Search without it: seesay search --exact; or leave it for good: seesay index --vectors "
            "exact"
        )
    return LibraryError(
        f"the Milvus at {where} cannot be used: {reason}. Start it, or correct its address. Search without it: seesay search "
        "--exact; or leave it for good: seesay index --vectors exact"
    )
