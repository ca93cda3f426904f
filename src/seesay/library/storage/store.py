"""Writes to the library's tables, and reads of them: SQL lives here, in reads.py and in schema.py only."""

import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from seesay.images.decoding.formats import READER
from seesay.library.search.filters import tag_key
from seesay.library.search.names import Folders, file_key
from seesay.library.storage.reads import Reads, Space, overlap
from seesay.library.storage.schema import connect
from seesay.library.vectors.matrix import Matrix
from seesay.system.paths import below, from_db, join, to_db

if TYPE_CHECKING:
    from seesay.images.metadata import Metadata


class Known(NamedTuple):
    """A file as the database last saw it. `ready`: its content has all its vectors in the space asked about. `reader`: the
    version of the reader that read it."""

    id: int
    size: int
    mtime_ns: int
    kind: str | None
    ready: bool
    reason: str | None  # why it failed, if it did
    transient: bool
    reader: int


class Store(Reads):
    def __init__(self, folder: Path, *, create: bool) -> None:
        self.folder = folder
        self.db: sqlite3.Connection = connect(folder, create=create)
        self.folders = Folders(self.db)

    def close(self) -> None:
        self.db.close()

    def __del__(self) -> None:
        if hasattr(self, "db"):  # it has none where connect() refused
            self.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; IMMEDIATE, so that it waits for another writer at its start and not in its middle."""
        try:
            self.db.execute("BEGIN IMMEDIATE")
            yield
            self.db.execute("COMMIT")
        except BaseException:  # Ctrl-C may come at any line
            if self.db.in_transaction:
                self.db.execute("ROLLBACK")
            self.folders.forget_known()
            raise

    # Spaces

    def ensure_space(self, space_id: str, dim: int, model: str) -> Space:
        token = os.urandom(8).hex()
        self.db.execute(
            "INSERT OR IGNORE INTO spaces (space_id, dim, model, token) VALUES (?, ?, ?, ?)", (space_id, dim, model, token)
        )
        space = self.space(space_id)
        assert space is not None
        return space

    # Roots and files

    def add_root(self, path: str) -> int:
        self.db.execute("INSERT INTO roots (path) VALUES (?)", (to_db(path),))
        return self.roots()[path]

    def adopt(self, parent: int, child: int, prefix: str) -> None:
        """Moves the files of root `child` below root `parent`, of which it turned out to be a part."""
        with self.transaction():
            for file, path in self.db.execute("SELECT id, path FROM files WHERE root_id = ?", (child,)).fetchall():
                moved = to_db(join(prefix, from_db(path)))
                values = (parent, moved, self.folders.of_file(parent, from_db(moved)), file)
                self.db.execute("UPDATE OR REPLACE files SET root_id = ?, path = ?, folder_id = ? WHERE id = ?", values)
            self.db.execute("DELETE FROM roots WHERE id = ?", (child,))
            self.folders.forget_known()

    def known_files(self, root: int, start: str, space: Space) -> dict[str, Known]:
        """Every file below `start` of a root, by its path below the root."""
        rows = self.db.execute(
            """SELECT f.path, f.id, f.size, f.mtime_ns, c.kind,
                      c.id IS NOT NULL AND NOT EXISTS (
                          SELECT 1 FROM items i LEFT JOIN vectors v ON v.item_id = i.id AND v.space = ?
                          WHERE i.content_id = c.id AND v.id IS NULL),
                      x.reason, coalesce(x.transient, 0), coalesce(x.reader, c.reader, 0)
               FROM files f LEFT JOIN contents c ON c.id = f.content_id LEFT JOIN failures x ON x.file_id = f.id
               WHERE f.root_id = ?""",
            (space.id, root),
        )
        known = {}
        for path, file, size, mtime_ns, kind, ready, reason, transient, reader in rows:
            name = from_db(path)
            if not start or below(name, start) is not None:
                known[name] = Known(file, size, mtime_ns, kind, bool(ready), reason, bool(transient), reader)
        return known

    def forget(self, path: str) -> int:
        """Drops every file at or below an absolute path, and roots inside it; how many files that were."""
        count = 0
        for root, root_id in self.roots().items():
            whole, part = overlap(root, path)
            if not whole and not part:
                continue
            files = self.db.execute("SELECT id, path FROM files WHERE root_id = ?", (root_id,)).fetchall()
            gone = [file for file, stored in files if whole or below(from_db(stored), part) is not None]
            count += len(gone)
            self.remove_files(gone)
            self.put_skipped(root_id, part, {})
            if whole:
                self.db.execute("DELETE FROM roots WHERE id = ?", (root_id,))
        self.folders.forget_known()
        return count

    def exclude(self, path: str) -> int:
        """Forgets what is at or below an absolute path, until `include` takes that back; how many files it had."""
        self.db.execute("INSERT OR IGNORE INTO excluded (path) VALUES (?)", (to_db(path),))
        return self.forget(path)

    def include(self, path: str) -> None:
        self.db.execute("DELETE FROM excluded WHERE path = ?", (to_db(path),))

    def put_file(self, root: int, path: str, size: int, mtime_ns: int, content: int | None) -> int:
        key = file_key(path or self._root_path(root))
        values = (root, to_db(path), size, mtime_ns, content, key, self.folders.of_file(root, path))
        (file,) = self.db.execute(
            """INSERT INTO files (root_id, path, size, mtime_ns, content_id, key, folder_id) VALUES (?, ?, ?, ?, ?, ?, ?)
               ON CONFLICT (root_id, path) DO UPDATE
               SET size = excluded.size, mtime_ns = excluded.mtime_ns, content_id = excluded.content_id RETURNING id""",
            values,
        ).fetchone()
        self.db.execute("DELETE FROM failures WHERE file_id = ?", (file,))
        return int(file)

    def _root_path(self, root: int) -> str:
        (path,) = self.db.execute("SELECT path FROM roots WHERE id = ?", (root,)).fetchone()
        return from_db(path)

    def put_failure(self, root: int, path: str, size: int, mtime_ns: int, reason: str, transient: bool) -> bool:
        """Whether the same was known of the same file."""
        before = self.db.execute(
            """SELECT x.tries, f.size, f.mtime_ns, x.reason FROM failures x JOIN files f ON f.id = x.file_id
               WHERE f.root_id = ? AND f.path = ?""",
            (root, to_db(path)),
        ).fetchone()
        file = self.put_file(root, path, size, mtime_ns, None)
        values = (file, reason, int(transient), before[0] + 1 if before else 1, READER)
        self.db.execute("INSERT INTO failures (file_id, reason, transient, tries, reader) VALUES (?, ?, ?, ?, ?)", values)
        return before is not None and before[1:] == (size, mtime_ns, reason)

    def put_skipped(self, root: int, start: str, counts: Mapping[tuple[str, str], int]) -> None:
        """Files that were passed over, by folder below the root and kind, in place of what was known at and below `start`."""
        rows = self.db.execute("SELECT DISTINCT folder FROM skipped WHERE root_id = ?", (root,)).fetchall()
        for (folder,) in rows:
            if not start or below(from_db(folder), start) is not None:
                self.db.execute("DELETE FROM skipped WHERE root_id = ? AND folder = ?", (root, folder))
        self.db.executemany(
            "INSERT INTO skipped (root_id, folder, kind, count) VALUES (?, ?, ?, ?)",
            ((root, to_db(folder), kind, count) for (folder, kind), count in counts.items()),
        )

    def remove_files(self, files: Iterable[int]) -> None:
        self.db.executemany("DELETE FROM files WHERE id = ?", ((file,) for file in files))

    def remove_orphans(self, *kinds: str) -> None:
        """Forgets contents, of these kinds or of any, that no file has any more, with their items and vectors. Tags given by
        hand cannot be made again: they wait for the content to come back."""
        orphans = "NOT EXISTS (SELECT 1 FROM files f WHERE f.content_id = c.id)"
        orphans += f" AND c.kind IN ({','.join('?' * len(kinds))})" if kinds else ""
        self.db.execute(
            f"""INSERT OR IGNORE INTO kept_tags (hash, key, tag) SELECT c.hash, t.key, t.tag
                FROM tags t JOIN contents c ON c.id = t.content_id WHERE t.probability IS NULL AND {orphans}""",
            kinds,
        )
        self.db.execute(f"DELETE FROM contents AS c WHERE {orphans}", kinds)

    # Contents, items, vectors

    def last_content(self) -> int:
        """Whatever is new from now on has a higher id."""
        (last,) = self.db.execute("SELECT coalesce(max(id), 0) FROM contents").fetchone()
        return int(last)

    def content(self, digest: bytes) -> int | None:
        row = self.db.execute("SELECT id FROM contents WHERE hash = ?", (digest,)).fetchone()
        return row[0] if row else None

    def ready_hashes(self, space: Space) -> set[bytes]:
        """Hashes of the pictures that have a vector in this space and were read by the present reader."""
        rows = self.db.execute(
            """SELECT c.hash FROM vectors v JOIN items i ON i.id = v.item_id JOIN contents c ON c.id = i.content_id
               WHERE v.space = ? AND c.kind = 'image' AND c.reader >= ?""",
            (space.id, READER),
        )
        return {digest for (digest,) in rows}

    def put_content(
        self,
        digest: bytes,
        kind: str,
        width: int | None = None,
        height: int | None = None,
        metadata: "Metadata | None" = None,
        waves: bytes | None = None,
        recolored: bool = False,
    ) -> int:
        """What an older reader knew of it is replaced; its vectors go where its pixels are others now, or its colours."""
        facts = (metadata.taken_at, metadata.camera, metadata.latitude, metadata.longitude) if metadata else (None,) * 4
        row = self.db.execute("SELECT id, reader, waves FROM contents WHERE hash = ?", (digest,)).fetchone()
        if row is not None:
            known, reader, before = row
            if reader < READER:
                if before != waves or recolored:
                    self.db.execute(
                        "DELETE FROM vectors WHERE item_id IN (SELECT id FROM items WHERE content_id = ?)", (known,)
                    )
                self.db.execute(
                    """UPDATE contents SET width = ?, height = ?, taken_at = ?, camera = ?, latitude = ?, longitude = ?,
                                           waves = ?, reader = ? WHERE id = ?""",
                    (width, height, *facts, waves, READER, known),
                )
            return int(known)
        cursor = self.db.execute(
            """INSERT INTO contents (hash, kind, width, height, taken_at, camera, latitude, longitude, waves, reader)
               VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
            (digest, kind, width, height, *facts, waves, READER),
        )
        content = int(cursor.lastrowid or 0)
        self.db.execute(
            "INSERT INTO tags (content_id, key, tag) SELECT ?, key, tag FROM kept_tags WHERE hash = ?", (content, digest)
        )
        self.db.execute("DELETE FROM kept_tags WHERE hash = ?", (digest,))
        return content

    def looks_the_same(self, digest: bytes, waves: bytes, space: Space) -> bool:
        """Whether a picture has a vector in this space, made of the very pixels that it has now."""
        row = self.db.execute(
            """SELECT 1 FROM contents c JOIN items i ON i.content_id = c.id JOIN vectors v ON v.item_id = i.id
               WHERE c.hash = ? AND c.waves = ? AND v.space = ?""",
            (digest, waves, space.id),
        ).fetchone()
        return row is not None

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

    def matrix(self, space: Space) -> Matrix:
        return Matrix(self.folder / "vectors" / space.token, space.dim)

    def put_waves(self, content: int, waves: bytes) -> None:
        self.db.execute("UPDATE contents SET waves = ? WHERE id = ?", (waves, content))

    # Tags

    def put_tags(self, tags: Iterable[tuple[int, str, float | None]]) -> int:
        """(content, tag, probability or None) each; one given by hand stays so. How many are new."""
        before = self.db.total_changes
        self.db.executemany(
            """INSERT INTO tags (content_id, key, tag, probability) VALUES (?, ?, ?, ?)
               ON CONFLICT DO UPDATE SET probability = excluded.probability
               WHERE probability IS NOT NULL AND probability IS NOT excluded.probability""",
            ((content, tag_key(tag), tag, probability) for content, tag, probability in tags),
        )
        return self.db.total_changes - before

    def carry_tags(self, root: int, path: str, content: int) -> None:
        """Gives a content the tags by hand of the one that the file has had until now."""
        self.db.execute(
            """INSERT OR IGNORE INTO tags (content_id, key, tag) SELECT ?, t.key, t.tag
               FROM files f JOIN tags t ON t.content_id = f.content_id
               WHERE f.root_id = ? AND f.path = ? AND t.probability IS NULL""",
            (content, root, to_db(path)),
        )

    def remove_tag(self, tag: str, contents: Sequence[int]) -> int:
        """How many of the contents had it."""
        return self.db.execute(
            "DELETE FROM tags WHERE key = ? AND content_id IN (SELECT value FROM json_each(?))",
            (tag_key(tag), json.dumps(contents)),
        ).rowcount

    def remove_tag_everywhere(self, tag: str) -> int:
        """Also from what may come back. How many pictures had it."""
        self.db.execute("DELETE FROM kept_tags WHERE key = ?", (tag_key(tag),))
        return self.db.execute("DELETE FROM tags WHERE key = ?", (tag_key(tag),)).rowcount

    def remove_rule(self, tag: str, contents: Sequence[int]) -> None:
        """Takes a tag from those contents to which a rule gave it."""
        self.db.execute(
            """DELETE FROM tags
               WHERE key = ? AND probability IS NOT NULL AND content_id IN (SELECT value FROM json_each(?))""",
            (tag_key(tag), json.dumps(contents)),
        )
