"""What a library's database holds, row by row, to compare before and after."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Stored:
    """vectors: by (path, hash of the content); tags: (hash, key) of those that pictures have or would get back."""

    vectors: dict[tuple[str, bytes], bytes]
    tags: frozenset[tuple[bytes, str]]

    @property
    def paths(self) -> set[str]:
        return {path for path, _ in self.vectors}

    def without(self, folder: str) -> "Stored":
        """As it is once a folder is forgotten; tags by hand are kept for when it comes back."""
        return Stored({key: v for key, v in self.vectors.items() if not key[0].startswith(folder + "/")}, self.tags)

    @classmethod
    def read(cls, library: Path) -> "Stored":
        """Raises AssertionError where the database is damaged."""
        with _opened(library) as db:
            assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            assert db.execute("PRAGMA foreign_key_check").fetchall() == []
            rows = db.execute(
                """SELECT r.path || '/' || f.path, c.hash, v.vector FROM files f JOIN roots r ON r.id = f.root_id
                   JOIN contents c ON c.id = f.content_id JOIN items i ON i.content_id = c.id
                   JOIN vectors v ON v.item_id = i.id"""
            )
            vectors = {(path, content): vector for path, content, vector in rows}
            tags = db.execute(
                "SELECT c.hash, t.key FROM tags t JOIN contents c ON c.id = t.content_id UNION SELECT hash, key FROM kept_tags"
            )
            return cls(vectors, frozenset(tags))


@contextmanager
def _opened(library: Path) -> Iterator[sqlite3.Connection]:
    db = sqlite3.connect(library / "library.db")
    try:
        yield db
    finally:
        db.close()
