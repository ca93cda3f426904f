"""Reads and writes of the library's tables: SQL lives here and in schema.py only."""

import os
import secrets
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from seesay.library.filters import Filters
from seesay.library.matrix import Matrix
from seesay.library.schema import connect
from seesay.paths import below, from_db, join, to_db

if TYPE_CHECKING:
    from seesay.images.exif import Exif


class Known(NamedTuple):
    """A file as the database last saw it. `ready`: its content has all its vectors in the space asked about."""

    id: int
    size: int
    mtime_ns: int
    kind: str | None
    ready: bool
    reason: str | None  # why it failed, if it did
    transient: bool


@dataclass(frozen=True)
class Space:
    id: int
    space_id: str
    dim: int
    model: str
    token: str


class FoundItem(NamedTuple):
    """A live item behind a vector id. id: the first twelve digits of its content's hash, and `:line` of a text."""

    id: str
    kind: str
    line: int | None
    text: str | None
    width: int | None
    height: int | None
    taken_at: str | None
    camera: str | None
    latitude: float | None
    longitude: float | None


class Store:
    def __init__(self, folder: Path, *, create: bool) -> None:
        self.folder = folder
        self.db: sqlite3.Connection = connect(folder, create=create)

    def close(self) -> None:
        self.db.close()

    def __del__(self) -> None:
        if hasattr(self, "db"):  # it has none where connect() refused
            self.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; IMMEDIATE, so that it waits for another writer at its start and not in its middle."""
        self.db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self.db.execute("ROLLBACK")
            raise
        self.db.execute("COMMIT")

    # Spaces

    def space(self, space_id: str) -> Space | None:
        row = self.db.execute("SELECT id, space_id, dim, model, token FROM spaces WHERE space_id = ?", (space_id,)).fetchone()
        return Space(*row) if row else None

    def spaces(self) -> list[Space]:
        return [Space(*row) for row in self.db.execute("SELECT id, space_id, dim, model, token FROM spaces")]

    def ensure_space(self, space_id: str, dim: int, model: str) -> Space:
        token = secrets.token_hex(8)
        self.db.execute(
            "INSERT OR IGNORE INTO spaces (space_id, dim, model, token) VALUES (?, ?, ?, ?)", (space_id, dim, model, token)
        )
        space = self.space(space_id)
        assert space is not None
        return space

    # Roots and files

    def roots(self) -> dict[str, int]:
        return {from_db(path): root for root, path in self.db.execute("SELECT id, path FROM roots ORDER BY path")}

    def add_root(self, path: str) -> int:
        self.db.execute("INSERT INTO roots (path) VALUES (?)", (to_db(path),))
        return self.roots()[path]

    def adopt(self, parent: int, child: int, prefix: str) -> None:
        """Moves the files of root `child` below root `parent`, of which it turned out to be a part."""
        with self.transaction():
            for file, path in self.db.execute("SELECT id, path FROM files WHERE root_id = ?", (child,)).fetchall():
                moved = to_db(join(prefix, from_db(path)))
                self.db.execute("UPDATE OR REPLACE files SET root_id = ?, path = ? WHERE id = ?", (parent, moved, file))
            self.db.execute("DELETE FROM roots WHERE id = ?", (child,))

    def known_files(self, root: int, start: str, space: Space) -> dict[str, Known]:
        """Every file below `start` of a root, by its path below the root."""
        rows = self.db.execute(
            """SELECT f.path, f.id, f.size, f.mtime_ns, c.kind,
                      c.id IS NOT NULL AND NOT EXISTS (
                          SELECT 1 FROM items i LEFT JOIN vectors v ON v.item_id = i.id AND v.space = ?
                          WHERE i.content_id = c.id AND v.id IS NULL),
                      x.reason, coalesce(x.transient, 0)
               FROM files f LEFT JOIN contents c ON c.id = f.content_id LEFT JOIN failures x ON x.file_id = f.id
               WHERE f.root_id = ?""",
            (space.id, root),
        )
        known = {}
        for path, file, size, mtime_ns, kind, ready, reason, transient in rows:
            name = from_db(path)
            if not start or below(name, start) is not None:
                known[name] = Known(file, size, mtime_ns, kind, bool(ready), reason, bool(transient))
        return known

    def forget(self, path: str) -> int:
        """Drops every file at or below an absolute path, and roots inside it; how many files that were."""
        count = 0
        for root, root_id in self.roots().items():
            whole, part = _overlap(root, path)
            if not whole and not part:
                continue
            files = self.db.execute("SELECT id, path FROM files WHERE root_id = ?", (root_id,)).fetchall()
            gone = [file for file, stored in files if whole or below(from_db(stored), part) is not None]
            count += len(gone)
            self.remove_files(gone)
            if whole:
                self.db.execute("DELETE FROM roots WHERE id = ?", (root_id,))
        return count

    def put_file(self, root: int, path: str, size: int, mtime_ns: int, content: int | None) -> int:
        (file,) = self.db.execute(
            """INSERT INTO files (root_id, path, size, mtime_ns, content_id) VALUES (?, ?, ?, ?, ?)
               ON CONFLICT (root_id, path) DO UPDATE
               SET size = excluded.size, mtime_ns = excluded.mtime_ns, content_id = excluded.content_id RETURNING id""",
            (root, to_db(path), size, mtime_ns, content),
        ).fetchone()
        self.db.execute("DELETE FROM failures WHERE file_id = ?", (file,))
        return int(file)

    def put_failure(self, root: int, path: str, size: int, mtime_ns: int, reason: str, transient: bool) -> None:
        tries = self.db.execute(
            "SELECT tries FROM failures x JOIN files f ON f.id = x.file_id WHERE f.root_id = ? AND f.path = ?",
            (root, to_db(path)),
        ).fetchone()
        file = self.put_file(root, path, size, mtime_ns, None)
        values = (file, reason, int(transient), tries[0] + 1 if tries else 1)
        self.db.execute("INSERT INTO failures (file_id, reason, transient, tries) VALUES (?, ?, ?, ?)", values)

    def remove_files(self, files: Iterable[int]) -> None:
        self.db.executemany("DELETE FROM files WHERE id = ?", ((file,) for file in files))

    def remove_orphans(self) -> None:
        """Forgets contents that no file has any more, with their items and vectors."""
        self.db.execute("DELETE FROM contents WHERE NOT EXISTS (SELECT 1 FROM files f WHERE f.content_id = contents.id)")

    # Contents, items, vectors

    def content(self, digest: bytes) -> int | None:
        row = self.db.execute("SELECT id FROM contents WHERE hash = ?", (digest,)).fetchone()
        return row[0] if row else None

    def ready_hashes(self, space: Space) -> set[bytes]:
        """Hashes of the pictures that have a vector in this space."""
        rows = self.db.execute(
            """SELECT c.hash FROM vectors v JOIN items i ON i.id = v.item_id JOIN contents c ON c.id = i.content_id
               WHERE v.space = ? AND c.kind = 'image'""",
            (space.id,),
        )
        return {digest for (digest,) in rows}

    def put_content(
        self, digest: bytes, kind: str, width: int | None = None, height: int | None = None, exif: "Exif | None" = None
    ) -> int:
        known = self.content(digest)
        if known is not None:
            return known
        facts = (exif.taken_at, exif.camera, exif.latitude, exif.longitude) if exif else (None,) * 4
        cursor = self.db.execute(
            """INSERT INTO contents (hash, kind, width, height, taken_at, camera, latitude, longitude)
               VALUES (?, ?, ?, ?, ?, ?, ?, ?)""",
            (digest, kind, width, height, *facts),
        )
        return int(cursor.lastrowid or 0)

    def put_item(self, content: int, *, line: int | None = None, text: str | None = None) -> int:
        row = self.db.execute("SELECT id FROM items WHERE content_id = ? AND line IS ?", (content, line)).fetchone()
        if row:
            return int(row[0])
        cursor = self.db.execute("INSERT INTO items (content_id, line, text) VALUES (?, ?, ?)", (content, line, text))
        return int(cursor.lastrowid or 0)

    def put_vector(self, item: int, space: Space, build_id: str, vector: bytes) -> None:
        self.db.execute(
            "INSERT OR IGNORE INTO vectors (item_id, space, build_id, vector) VALUES (?, ?, ?, ?)",
            (item, space.id, build_id, vector),
        )

    def text_vectors(self, texts: Sequence[str], space: Space) -> dict[str, tuple[str, bytes]]:
        """Of these texts, those already encoded in this space: text -> (build_id, vector)."""
        found = {}
        for start in range(0, len(texts), 500):
            some = texts[start : start + 500]
            marks = ",".join("?" * len(some))
            rows = self.db.execute(
                f"""SELECT i.text, v.build_id, v.vector FROM items i JOIN vectors v ON v.item_id = i.id
                    WHERE v.space = ? AND i.text IN ({marks})""",
                (space.id, *some),
            )
            found.update({text: (build, vector) for text, build, vector in rows})
        return found

    # Search

    def matrix(self, space: Space) -> Matrix:
        return Matrix(self.folder / "vectors" / space.token, space.dim)

    def last_vector_id(self) -> int:
        row = self.db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'vectors'").fetchone()
        return row[0] if row else 0

    def vectors_after(self, last_id: int, space: Space) -> Iterator[tuple[int, str, bytes]]:
        """(vector id, kind, float32 bytes) of every vector of the space with a higher id, in order of id."""
        return iter(
            self.db.execute(
                """SELECT v.id, c.kind, v.vector FROM vectors v
                   JOIN items i ON i.id = v.item_id JOIN contents c ON c.id = i.content_id
                   WHERE v.space = ? AND v.id > ? ORDER BY v.id""",
                (space.id, last_id),
            )
        )

    def count_vectors(self, space: Space) -> dict[str, int]:
        return dict(
            self.db.execute(
                """SELECT c.kind, count(*) FROM vectors v
                   JOIN items i ON i.id = v.item_id JOIN contents c ON c.id = i.content_id
                   WHERE v.space = ? GROUP BY c.kind""",
                (space.id,),
            ).fetchall()
        )

    def vectors_under(self, folder: str, space: Space) -> list[int]:
        """Vector ids of every item that has a file below `folder` (absolute), ascending."""
        ids: set[int] = set()
        for path, root in self.roots().items():
            whole, part = _overlap(path, folder)
            if whole or part:
                ids.update(self._vectors_of_root(root, part, space))
        return sorted(ids)

    def _vectors_of_root(self, root: int, part: str, space: Space) -> Iterator[int]:
        sql = """SELECT v.id FROM files f JOIN items i ON i.content_id = f.content_id
                 JOIN vectors v ON v.item_id = i.id AND v.space = ? WHERE f.root_id = ?"""
        if not part:
            return (i for (i,) in self.db.execute(sql, (space.id, root)))
        # Names below a folder sort between "folder/" and "folder0" (the character after /), as text or as bytes.
        low, high = part + os.sep, part + chr(ord(os.sep) + 1)
        sql += " AND (f.path = ? OR (f.path >= ? AND f.path < ?) OR (f.path >= ? AND f.path < ?))"
        texts = (to_db(part), to_db(low), to_db(high), os.fsencode(low), os.fsencode(high))
        return (i for (i,) in self.db.execute(sql, (space.id, root, *texts)))

    def vectors_that_pass(self, filters: Filters, space: Space) -> np.ndarray:
        """(N,) int64 vector ids, ascending, of what filters let through, scores aside."""
        conditions, values = _all_of(filters)
        rows = self.db.execute(
            f"""SELECT v.id FROM contents c JOIN items i ON i.content_id = c.id JOIN vectors v ON v.item_id = i.id
                WHERE v.space = ?{conditions} ORDER BY v.id""",
            (space.id, *values),
        )
        ids = np.fromiter((i for (i,) in rows), dtype=np.int64)
        if filters.folder is None:
            return ids
        return np.intersect1d(ids, np.asarray(self.vectors_under(filters.folder, space), dtype=np.int64), assume_unique=True)

    def items(self, vector_ids: Sequence[int], filters: Filters) -> dict[int, tuple[FoundItem, list[str]]]:
        """The live items behind these vector ids that filters let through, scores aside, each with the paths of its files; one
        without any file is left out."""
        found: dict[int, tuple[FoundItem, list[str]]] = {}
        marks = ",".join("?" * len(vector_ids))
        conditions, values = _all_of(filters)
        rows = self.db.execute(
            f"""SELECT v.id, r.path, f.path,
                       lower(hex(substr(c.hash, 1, 6))) || coalesce(':' || i.line, ''), c.kind, i.line, i.text,
                       c.width, c.height, c.taken_at, c.camera, c.latitude, c.longitude
                FROM vectors v JOIN items i ON i.id = v.item_id JOIN contents c ON c.id = i.content_id
                JOIN files f ON f.content_id = c.id JOIN roots r ON r.id = f.root_id
                WHERE v.id IN ({marks}){conditions} ORDER BY r.path, f.path""",
            (*vector_ids, *values),
        )
        for vector_id, root, path, *rest in rows:  # rest: the columns of FoundItem
            full = join(from_db(root), from_db(path))
            found.setdefault(vector_id, (FoundItem(*rest), []))[1].append(full)
        if (folder := filters.folder) is not None:
            return {at: item for at, item in found.items() if any(below(path, folder) is not None for path in item[1])}
        return found

    def vector_of(self, item: str, space: Space) -> bytes | None:
        """The vector of a live item by its id; of two contents whose hashes begin alike, the first."""
        start, _, line = item.partition(":")
        low = bytes.fromhex(start)
        row = self.db.execute(
            """SELECT v.vector FROM contents c JOIN items i ON i.content_id = c.id JOIN vectors v ON v.item_id = i.id
               WHERE c.hash >= ? AND c.hash < ? AND i.line IS ? AND v.space = ?
               AND EXISTS (SELECT 1 FROM files f WHERE f.content_id = c.id) ORDER BY c.hash LIMIT 1""",
            (low, low + b"\xff" * 27, int(line) if line else None, space.id),
        ).fetchone()
        return row[0] if row else None

    def vectors(self, ids: Sequence[int]) -> np.ndarray:
        """(N, D) float32 of those that are still there."""
        marks = ",".join("?" * len(ids))
        rows = self.db.execute(f"SELECT vector FROM vectors WHERE id IN ({marks})", tuple(ids)).fetchall()
        return np.stack([np.frombuffer(blob, "<f4") for (blob,) in rows]) if rows else np.empty((0, 0), dtype=np.float32)

    def count_files(self) -> dict[str, int]:
        """Files by kind: image, text, failed."""
        return dict(
            self.db.execute(
                """SELECT coalesce(c.kind, 'failed'), count(*) FROM files f
                   LEFT JOIN contents c ON c.id = f.content_id GROUP BY 1"""
            ).fetchall()
        )

    def failures(self) -> list[tuple[str, str, int]]:
        """(absolute path, reason, tries) of every file that could not be read."""
        rows = self.db.execute(
            """SELECT r.path, f.path, x.reason, x.tries FROM failures x
               JOIN files f ON f.id = x.file_id JOIN roots r ON r.id = f.root_id ORDER BY r.path, f.path"""
        )
        return [(join(from_db(root), from_db(path)), reason, tries) for root, path, reason, tries in rows]


def _all_of(filters: Filters) -> tuple[str, list[object]]:
    """Conditions to add to a WHERE, with their values."""
    found = list(filters.conditions())
    return "".join(f" AND {condition}" for condition, _ in found), [value for _, values in found for value in values]


def _overlap(root: str, folder: str) -> tuple[bool, str]:
    """(the root lies inside the folder, the folder's path below the root or '')."""
    if below(root, folder) is not None:
        return True, ""
    return False, below(folder, root) or ""
