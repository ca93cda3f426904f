"""`Store`: the open database of a library, with all writes to its tables."""

import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from seesay.images.decoding.formats import READER
from seesay.library.search.filters import tag_key
from seesay.library.search.names import Folders, file_key
from seesay.library.storage.reads import Reads, overlap
from seesay.library.storage.rows import FileRecord, Space
from seesay.library.storage.schema import connect
from seesay.system.paths import below, from_db, join, to_db

if TYPE_CHECKING:
    from seesay.images.metadata import Metadata


class Store(Reads):
    """The database of the library in `folder`. Several threads may use it in turn. Raises as `schema.connect` does."""

    def __init__(self, folder: Path, *, create: bool) -> None:
        self.folder = folder
        self.db: sqlite3.Connection = connect(folder, create=create)
        self.folders = Folders(self.db)

    def close(self) -> None:
        """Closes the connection."""
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
            self.folders.clear_cache()
            raise

    # Spaces

    def ensure_space(self, space_id: str, dim: int, model: str) -> Space:
        """The space, added where the library has no vectors of it yet."""
        token = os.urandom(8).hex()
        self.db.execute(
            "INSERT OR IGNORE INTO spaces (space_id, dim, model, token) VALUES (?, ?, ?, ?)", (space_id, dim, model, token)
        )
        space = self.space(space_id)
        assert space is not None
        return space

    # Roots and files

    def add_root(self, path: str) -> int:
        """Adds an absolute path to what is indexed; returns its id."""
        self.db.execute("INSERT INTO roots (path) VALUES (?)", (to_db(path),))
        return self.roots()[path]

    def adopt(self, parent: int, child: int, prefix: str) -> None:
        """Moves the files of root `child` to root `parent`, which contains it at `prefix`, and removes `child`."""
        with self.transaction():
            for file, path in self.db.execute("SELECT id, path FROM files WHERE root_id = ?", (child,)).fetchall():
                moved = to_db(join(prefix, from_db(path)))
                values = (parent, moved, self.folders.of_file(parent, from_db(moved)), file)
                self.db.execute("UPDATE OR REPLACE files SET root_id = ?, path = ?, folder_id = ? WHERE id = ?", values)
            self.db.execute("DELETE FROM roots WHERE id = ?", (child,))
            self.folders.clear_cache()

    def file_records(self, root: int, start: str, space: Space) -> dict[str, FileRecord]:
        """Every file at or below `start` of a root, by its path below the root."""
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
        records = {}
        for path, file, size, mtime_ns, kind, ready, reason, transient, reader in rows:
            name = from_db(path)
            if not start or below(name, start) is not None:
                records[name] = FileRecord(file, size, mtime_ns, kind, bool(ready), reason, bool(transient), reader)
        return records

    def forget(self, path: str) -> int:
        """Removes every file at or below an absolute path, and roots inside it. Returns the number of files."""
        count = 0
        for root, root_id in self.roots().items():
            whole, part = overlap(root, path)
            if not whole and not part:
                continue
            files = self.db.execute("SELECT id, path FROM files WHERE root_id = ?", (root_id,)).fetchall()
            inside = [file for file, stored in files if whole or below(from_db(stored), part) is not None]
            count += len(inside)
            self.remove_files(inside)
            self.put_skipped(root_id, part, {})
            if whole:
                self.db.execute("DELETE FROM roots WHERE id = ?", (root_id,))
        self.folders.clear_cache()
        return count

    def exclude(self, path: str) -> int:
        """Forgets files at or below an absolute path, and keeps later runs from them until `include` is called for it.

        Returns the number of files.
        """
        self.db.execute("INSERT OR IGNORE INTO excluded (path) VALUES (?)", (to_db(path),))
        return self.forget(path)

    def include(self, path: str) -> None:
        """Takes `exclude` of this very path back."""
        self.db.execute("DELETE FROM excluded WHERE path = ?", (to_db(path),))

    def put_file(self, root: int, path: str, size: int, mtime_ns: int, content: int | None) -> int:
        """Adds or updates a file by its path below the root, and removes its failure. Returns its id."""
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
        """Adds or updates a file that could not be read. Returns whether the same failure of it was stored before."""
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
        """Counts of files that were not read, by folder below the root and kind; replaces those at and below `start`."""
        rows = self.db.execute("SELECT DISTINCT folder FROM skipped WHERE root_id = ?", (root,)).fetchall()
        for (folder,) in rows:
            if not start or below(from_db(folder), start) is not None:
                self.db.execute("DELETE FROM skipped WHERE root_id = ? AND folder = ?", (root, folder))
        self.db.executemany(
            "INSERT INTO skipped (root_id, folder, kind, count) VALUES (?, ?, ?, ?)",
            ((root, to_db(folder), kind, count) for (folder, kind), count in counts.items()),
        )

    def remove_files(self, files: Iterable[int]) -> None:
        """Removes files by id; their contents stay until `remove_orphans`."""
        self.db.executemany("DELETE FROM files WHERE id = ?", ((file,) for file in files))

    def remove_orphans(self, *kinds: str) -> None:
        """Removes contents, of these kinds or of any, that no file has any more, with their items and vectors.

        Tags given by hand cannot be made again: they are kept for the content to come back.
        """
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
        """The highest id of a content; contents added from now on have higher ones."""
        (last,) = self.db.execute("SELECT coalesce(max(id), 0) FROM contents").fetchone()
        return int(last)

    def content(self, digest: bytes) -> int | None:
        """The id of the content with this SHA-256, if any."""
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
        *,
        reader: int = READER,
    ) -> int:
        """The id of a content, added where it is new. reader: the version of the reader whose facts these are.

        Facts that an older reader stored are replaced; its vectors are deleted where its pixels or colours now differ.
        """
        facts = (metadata.taken_at, metadata.camera, metadata.latitude, metadata.longitude) if metadata else (None,) * 4
        row = self.db.execute("SELECT id, reader, waves FROM contents WHERE hash = ?", (digest,)).fetchone()
        if row is not None:
            content, stored, before = row
            if stored < reader:
                if before != waves or recolored:
                    self.db.execute(
                        "DELETE FROM vectors WHERE item_id IN (SELECT id FROM items WHERE content_id = ?)", (content,)
                    )
                self.db.execute(
                    """UPDATE contents SET width = ?, height = ?, taken_at = ?, camera = ?, latitude = ?, longitude = ?,
                                           waves = ?, reader = ? WHERE id = ?""",
                    (width, height, *facts, waves, reader, content),
                )
            return int(content)
        cursor = self.db.execute(
            """INSERT INTO contents (hash, kind, width, height, taken_at, camera, latitude, longitude, waves, reader)
               VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
            (digest, kind, width, height, *facts, waves, reader),
        )
        content = int(cursor.lastrowid or 0)
        self.db.execute(
            "INSERT INTO tags (content_id, key, tag) SELECT ?, key, tag FROM kept_tags WHERE hash = ?", (content, digest)
        )
        self.db.execute("DELETE FROM kept_tags WHERE hash = ?", (digest,))
        return content

    def has_vector_of_pixels(self, digest: bytes, waves: bytes, space: Space) -> bool:
        """Whether a picture has a vector in this space that was made from the same pixels as it has now."""
        row = self.db.execute(
            """SELECT 1 FROM contents c JOIN items i ON i.content_id = c.id JOIN vectors v ON v.item_id = i.id
               WHERE c.hash = ? AND c.waves = ? AND v.space = ?""",
            (digest, waves, space.id),
        ).fetchone()
        return row is not None

    def put_item(self, content: int, *, line: int | None = None, text: str | None = None) -> int:
        """The id of a content's item, added where it is new. line, text: for texts."""
        row = self.db.execute("SELECT id FROM items WHERE content_id = ? AND line IS ?", (content, line)).fetchone()
        if row:
            return int(row[0])
        cursor = self.db.execute("INSERT INTO items (content_id, line, text) VALUES (?, ?, ?)", (content, line, text))
        return int(cursor.lastrowid or 0)

    def put_vector(self, item: int, space: Space, build_id: str, vector: bytes) -> None:
        """Adds the vector of an item in a space; one that is there already stays."""
        self.db.execute(
            "INSERT OR IGNORE INTO vectors (item_id, space, build_id, vector) VALUES (?, ?, ?, ?)",
            (item, space.id, build_id, vector),
        )

    def text_vectors(self, texts: Sequence[str], space: Space) -> dict[str, tuple[str, bytes]]:
        """Texts among these that are already encoded in this space: text -> (build_id, vector)."""
        vectors = {}
        for start in range(0, len(texts), 500):
            some = texts[start : start + 500]
            marks = ",".join("?" * len(some))
            rows = self.db.execute(
                f"""SELECT i.text, v.build_id, v.vector FROM items i JOIN vectors v ON v.item_id = i.id
                    WHERE v.space = ? AND i.text IN ({marks})""",
                (space.id, *some),
            )
            vectors.update({text: (build, vector) for text, build, vector in rows})
        return vectors

    def vector_folder(self, space: Space) -> Path:
        """The folder of the space's vector index and background."""
        return self.folder / "vectors" / space.token

    def region_folder(self, space: Space) -> Path:
        """The folder of the index of the pictures' windows."""
        return self.vector_folder(space) / "regions"

    def put_waves(self, content: int, waves: bytes) -> None:
        """Stores the unrounded perceptual hash of a picture."""
        self.db.execute("UPDATE contents SET waves = ? WHERE id = ?", (waves, content))

    # Tags

    def put_tags(self, tags: Iterable[tuple[int, str, float | None]]) -> int:
        """Adds (content, tag, probability) rows; None as probability: by hand, which later rules leave alone.

        Returns how many rows are new or changed.
        """
        before = self.db.total_changes
        self.db.executemany(
            """INSERT INTO tags (content_id, key, tag, probability) VALUES (?, ?, ?, ?)
               ON CONFLICT DO UPDATE SET probability = excluded.probability
               WHERE probability IS NOT NULL AND probability IS NOT excluded.probability""",
            ((content, tag_key(tag), tag, probability) for content, tag, probability in tags),
        )
        return self.db.total_changes - before

    def carry_tags(self, root: int, path: str, content: int) -> None:
        """Gives a content the tags by hand of the content that the file has had until now."""
        self.db.execute(
            """INSERT OR IGNORE INTO tags (content_id, key, tag) SELECT ?, t.key, t.tag
               FROM files f JOIN tags t ON t.content_id = f.content_id
               WHERE f.root_id = ? AND f.path = ? AND t.probability IS NULL""",
            (content, root, to_db(path)),
        )

    def remove_tag(self, tag: str, contents: Sequence[int]) -> int:
        """Removes a tag from these contents. Returns how many had it."""
        return self.db.execute(
            "DELETE FROM tags WHERE key = ? AND content_id IN (SELECT value FROM json_each(?))",
            (tag_key(tag), json.dumps(contents)),
        ).rowcount

    def remove_tag_everywhere(self, tag: str) -> int:
        """Removes a tag from all contents, also from those that have no file now. Returns how many pictures had it."""
        self.db.execute("DELETE FROM kept_tags WHERE key = ?", (tag_key(tag),))
        return self.db.execute("DELETE FROM tags WHERE key = ?", (tag_key(tag),)).rowcount

    def remove_rule_tag(self, tag: str, contents: Sequence[int]) -> None:
        """Removes a tag from those of the contents that have it by rule."""
        self.db.execute(
            """DELETE FROM tags
               WHERE key = ? AND probability IS NOT NULL AND content_id IN (SELECT value FROM json_each(?))""",
            (tag_key(tag), json.dumps(contents)),
        )
