"""A gallery on disk: names and the vectors of the pictures that taught them, in one SQLite file of one model's space."""

import os
import sqlite3
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from seesay.errors import GalleryError, InputError, NoNames, UnknownName
from seesay.library.example import Example
from seesay.library.library import default_path
from seesay.library.search.filters import tag_key, tag_name
from seesay.library.storage.schema import GALLERY
from seesay.system.paths import absolute, printable
from seesay.tasks.few_shot import Gallery, from_examples

T = TypeVar("T")
APPLICATION_ID = 0x53656547  # "SeeG": distinguishes our files from those of other programs
VERSION = 1
LONGEST_NAME = 100  # letters, as of a tag
MOST_EXAMPLES = 100_000  # of a gallery: all of them are in memory while pictures are identified
TABLES = f"""
    CREATE TABLE space (space_id TEXT NOT NULL, dim INTEGER NOT NULL, model TEXT NOT NULL);
    CREATE TABLE names (
        id INTEGER PRIMARY KEY,
        key TEXT NOT NULL UNIQUE,               -- what names are compared by
        name TEXT NOT NULL                      -- as it was first written
    );
    CREATE TABLE examples (
        id INTEGER PRIMARY KEY,
        name_id INTEGER NOT NULL REFERENCES names ON DELETE CASCADE,
        digest TEXT NOT NULL,                   -- of the picture's bytes, and of the box
        source TEXT NOT NULL,                   -- for people: a path, a URL, "" for a picture of a request
        vector BLOB NOT NULL,                   -- little-endian float32, unit length
        checksum INTEGER NOT NULL,              -- crc32 of the vector
        UNIQUE (name_id, digest)
    );
    PRAGMA application_id = {APPLICATION_ID};
    PRAGMA user_version = {VERSION};
"""


@dataclass(frozen=True)
class Learned:
    """What learning changed. name: as it is stored; new: whether it was not there. added: pictures that it did not have."""

    name: str
    new: bool
    added: int
    known: int
    pictures: int


@dataclass(frozen=True)
class Unlearned:
    """What un-teaching changed. forgotten: pictures that the name no longer has; pictures: those that it still has."""

    name: str
    forgotten: int
    pictures: int


def gallery_path(library: str | os.PathLike[str] | None = None) -> Path:
    """The gallery beside a library; where that has none, and without one, the gallery beside the user's own library."""
    own = default_path() / GALLERY
    beside = own if library is None else Path(absolute(library)) / GALLERY
    return beside if beside.is_file() else own


class GalleryFile:
    """A gallery's file, opened for each use, so that several processes may teach and identify.

    space_id, dim, model: of the model that makes the vectors; model: its name, for messages. Methods raise GalleryError where
    the file is damaged, of another program or another space, or cannot be written.
    """

    def __init__(self, file: str | os.PathLike[str], space_id: str, dim: int, model: str) -> None:
        self.file, self.space_id, self.dim, self.model = Path(absolute(file)), space_id, dim, model

    def counts(self) -> dict[str, int]:
        """Pictures by name, in order of names; none where there is no file yet."""
        return self._read(_counts) or {}

    def read(self) -> Gallery:
        """The names and vectors. Raises NoNames where there are none."""
        rows = self._read(lambda db: _examples(db, self.dim))
        if not rows:
            raise NoNames(
                f"the gallery {self.file} has no names yet. Teach one with: seesay learn NAME IMAGE...; another file: --gallery"
            )
        return from_examples([name for name, _, _ in rows], np.stack([self._vector(*row) for row in rows]))

    def learn(self, name: str, examples: Iterable[Example]) -> Learned:
        """Adds pictures to a name, which is made where it is new; a picture that the name has is counted once.

        Raises InputError for a name that is none, or without pictures.
        """
        spelled, taught = checked_name(name), list(examples)
        if not taught:
            raise InputError(f"expected at least one picture of {spelled!r}, got none")
        with self._writing() as db:
            (total,) = db.execute("SELECT count(*) FROM examples").fetchone()
            if total + len(taught) > MOST_EXAMPLES:
                raise GalleryError(
                    f"a gallery holds at most {MOST_EXAMPLES:,} pictures; {self.file} has {total:,}. Use another --gallery"
                )
            key = tag_key(spelled)
            new = db.execute("INSERT OR IGNORE INTO names (key, name) VALUES (?, ?)", (key, spelled)).rowcount == 1
            number, stored = db.execute("SELECT id, name FROM names WHERE key = ?", (key,)).fetchone()
            added = 0
            for source, digest, vector in taught:
                blob = np.asarray(vector, dtype="<f4").tobytes()
                added += db.execute(
                    "INSERT OR IGNORE INTO examples (name_id, digest, source, vector, checksum) VALUES (?, ?, ?, ?, ?)",
                    (number, digest, source.encode("utf-8", "backslashreplace").decode(), blob, zlib.crc32(blob)),
                ).rowcount
            (pictures,) = db.execute("SELECT count(*) FROM examples WHERE name_id = ?", (number,)).fetchone()
        return Learned(stored, new, added, len(taught) - added, pictures)

    def forget(self, *names: str) -> dict[str, int]:
        """Removes names. Returns how many pictures each had. Raises UnknownName, and removes none, where one is not there."""
        counts = self.counts()
        stored = [self._stored(name) for name in names]
        with self._writing() as db:
            db.executemany("DELETE FROM names WHERE key = ?", [(tag_key(name),) for name in stored])
        return {name: counts[name] for name in stored}

    def forget_pictures(self, name: str, sources: Sequence[str], digests: Collection[str] = ()) -> Unlearned:
        """Removes what a name was learned from pictures: those that were given as one of `sources`, or whose bytes have one of
        these digests (`example.digest_of`). A name without any picture left is forgotten.

        Raises UnknownName, and InputError where the name was not learned from one of these.
        """
        stored = self._stored(name)
        with self._writing() as db:
            rows = db.execute(
                "SELECT e.id, source, digest FROM names n JOIN examples e ON e.name_id = n.id WHERE key = ?", (tag_key(name),)
            ).fetchall()
            chosen = [number for number, source, digest in rows if source in sources or digest in digests]
            if not chosen:
                raise InputError(f"{stored!r} was not learned from {', '.join(map(printable, sources))}")
            db.executemany("DELETE FROM examples WHERE id = ?", [(number,) for number in chosen])
            if len(chosen) == len(rows):
                db.execute("DELETE FROM names WHERE key = ?", (tag_key(name),))
        return Unlearned(stored, len(chosen), len(rows) - len(chosen))

    def _stored(self, name: str) -> str:
        """A name as it is stored. Raises UnknownName."""
        counts = self.counts()
        for stored in counts:
            if tag_key(stored) == tag_key(name):
                return stored
        known = ", ".join(list(counts)[:10]) or "no names"
        raise UnknownName(f"the gallery {self.file} has no name {name!r}; it has {known}", parameter="name", got=name)

    def _vector(self, name: str, blob: bytes, checksum: int) -> np.ndarray:
        if not isinstance(blob, bytes) or zlib.crc32(blob) != checksum:
            raise _damaged(self.file, f"a picture of {name!r} is not what was written")
        return np.frombuffer(blob, dtype="<f4").astype(np.float32)

    def _read(self, query: Callable[[sqlite3.Connection], T]) -> T | None:
        """The answer of a query; None where there is no file."""
        if not self.file.is_file():
            if self.file.exists():
                raise GalleryError(f"{self.file} is a folder; a gallery is a file. Name another one: --gallery FILE")
            return None
        with self._opened(create=False) as db:
            self._check_space(db)
            return query(db)

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """The open file in a transaction that is committed if the block ends well, made where there is none."""
        with self._opened(create=True) as db:
            db.execute("BEGIN IMMEDIATE")
            try:
                if not db.execute("SELECT 1 FROM sqlite_master").fetchone():
                    self._create(db)
                self._check_space(db)
                yield db
                db.execute("COMMIT")
            except BaseException:
                if db.in_transaction:
                    db.execute("ROLLBACK")
                raise

    def _create(self, db: sqlite3.Connection) -> None:
        for statement in filter(str.strip, TABLES.split(";")):  # executescript would end the transaction
            db.execute(statement)
        db.execute("INSERT INTO space VALUES (?, ?, ?)", (self.space_id, self.dim, self.model))

    def _check_space(self, db: sqlite3.Connection) -> None:
        (application,) = db.execute("PRAGMA application_id").fetchone()
        (version,) = db.execute("PRAGMA user_version").fetchone()
        if application != APPLICATION_ID:
            raise GalleryError(f"{self.file} is no gallery of SeeSay. Name another file: --gallery FILE")
        if version > VERSION:
            raise GalleryError(f"{self.file} was made by a newer SeeSay (gallery {version}); this one knows up to {VERSION}")
        space_id, dim, model = db.execute("SELECT space_id, dim, model FROM space").fetchone()
        if (space_id, dim) != (self.space_id, self.dim):
            raise GalleryError(
                f"the gallery {self.file} was taught with model {model!r} (space {space_id[:8]}); model {self.model!r} makes "
                f"vectors of space {self.space_id[:8]}, which cannot be compared with them. Use that model (--model NAME or "
                "PATH), or teach this one in a gallery of its own: --gallery FILE"
            )

    @contextmanager
    def _opened(self, *, create: bool) -> Iterator[sqlite3.Connection]:
        """A connection; what SQLite raises becomes a GalleryError."""
        try:
            if create:
                self.file.parent.mkdir(parents=True, exist_ok=True)
            address = f"{self.file.as_uri()}?mode={'rwc' if create else 'ro'}"
            db = sqlite3.connect(address, uri=True, timeout=30, isolation_level=None)
        except (OSError, sqlite3.Error) as error:
            raise GalleryError(f"cannot open the gallery {self.file}: {getattr(error, 'strerror', None) or error}") from None
        try:
            db.execute("PRAGMA foreign_keys = ON")
            yield db
        except sqlite3.OperationalError as error:  # no permission, a full disk, locked
            raise GalleryError(f"cannot use the gallery {self.file}: {error}. Name another file: --gallery FILE") from None
        except (sqlite3.DatabaseError, TypeError, ValueError) as error:
            raise _damaged(self.file, str(error)) from None
        finally:
            db.close()


def checked_name(name: str) -> str:
    """A name as it is stored: accents composed, single spaces. Raises InputError where it is none."""
    spelled = tag_name(name)
    if not spelled or len(spelled) > LONGEST_NAME or not spelled.isprintable():
        raise InputError(
            f"a name is a word or a few, at most {LONGEST_NAME} letters, got {name!r}",
            parameter="name",
            expected="a word or a few",
            got=name,
        )
    return spelled


def _damaged(file: Path, why: str) -> GalleryError:
    return GalleryError(f"the gallery {file} is damaged: {why}. Restore it from a copy, or name another file: --gallery FILE")


def _counts(db: sqlite3.Connection) -> dict[str, int]:
    return dict(
        db.execute("SELECT name, count(e.id) FROM names n JOIN examples e ON e.name_id = n.id GROUP BY n.id ORDER BY key")
    )


def _examples(db: sqlite3.Connection, dim: int) -> list[tuple[str, bytes, int]]:
    """(name, vector, checksum) of each picture, in order of names. Raises ValueError for what was not written by us."""
    odd = "SELECT 1 FROM examples WHERE length(vector) != ? UNION ALL SELECT 1 FROM names WHERE length(name) > ? LIMIT 1"
    if db.execute(odd, (4 * dim, LONGEST_NAME)).fetchone():  # before a hostile file's blobs are in memory
        raise ValueError("a picture or a name has the wrong length")
    return db.execute(
        "SELECT name, vector, checksum FROM names n JOIN examples e ON e.name_id = n.id ORDER BY n.id, e.id LIMIT ?",
        (MOST_EXAMPLES,),
    ).fetchall()
