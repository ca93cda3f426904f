"""The tables of a library's database, their migrations, and how it is opened. All other files beside it can be rebuilt.

A file on disk (`files`) has a content (`contents`, by hash: copies and renames share it); a content has items (a picture has
one, a list of texts one per line); an item has a vector per space. Paths are TEXT, or BLOB where a name is not UTF-8.
"""

import os
import sqlite3
from pathlib import Path
from urllib.parse import quote

from seesay.errors import LibraryError, NoLibrary
from seesay.library.search import names
from seesay.library.search.filters import tag_key

DATABASE = "library.db"
GALLERY = "gallery.db"  # of names (`library.gallery`), which may be taught before anything is indexed
CACHE_KB = 32_000  # SQLite's default 2 MB is less than the index pages of a filtered search among 200,000 photos
APPLICATION_ID = 0x53656553  # "SeeS": distinguishes our databases from those of other programs

NAMED = 4  # the first version in which files and folders have names to search by
# One script per version, never edited once released: PRAGMA user_version is the number of those already applied.
MIGRATIONS = (
    """
    CREATE TABLE roots (
        id INTEGER PRIMARY KEY,
        path NOT NULL UNIQUE                    -- absolute: an indexed folder, or one indexed file
    );
    CREATE TABLE contents (
        id INTEGER PRIMARY KEY,
        hash BLOB NOT NULL UNIQUE,              -- SHA-256 of the file's bytes
        kind TEXT NOT NULL CHECK (kind IN ('image', 'text')),
        width INTEGER, height INTEGER,          -- pixels, upright
        taken_at TEXT, camera TEXT,             -- ISO 8601, the camera's local time
        latitude REAL, longitude REAL           -- degrees
    );
    CREATE TABLE files (
        id INTEGER PRIMARY KEY,
        root_id INTEGER NOT NULL REFERENCES roots ON DELETE CASCADE,
        path NOT NULL,                          -- below the root; '' where the root is the file
        size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL,
        content_id INTEGER REFERENCES contents ON DELETE SET NULL,
        UNIQUE (root_id, path)
    );
    CREATE INDEX files_by_content ON files (content_id);
    CREATE TABLE items (
        id INTEGER PRIMARY KEY,
        content_id INTEGER NOT NULL REFERENCES contents ON DELETE CASCADE,
        time_offset_s REAL,                     -- for pictures inside a video
        line INTEGER, text TEXT                 -- for texts; lines count from 1
    );
    CREATE INDEX items_by_content ON items (content_id);
    CREATE INDEX items_by_text ON items (text) WHERE text IS NOT NULL;
    CREATE TABLE spaces (
        id INTEGER PRIMARY KEY,
        space_id TEXT NOT NULL UNIQUE,
        dim INTEGER NOT NULL,
        model TEXT NOT NULL,                    -- the name it was loaded by, for messages
        token TEXT NOT NULL                     -- random: names this database's matrix folder
    );
    CREATE TABLE vectors (
        id INTEGER PRIMARY KEY AUTOINCREMENT,   -- never reused: the matrix beside the database relies on it
        item_id INTEGER NOT NULL REFERENCES items ON DELETE CASCADE,
        space INTEGER NOT NULL REFERENCES spaces ON DELETE CASCADE,
        build_id TEXT NOT NULL,
        vector BLOB NOT NULL,                   -- little-endian float32, unit length
        UNIQUE (item_id, space)
    );
    CREATE INDEX vectors_by_space ON vectors (space);
    CREATE TABLE failures (
        file_id INTEGER PRIMARY KEY REFERENCES files ON DELETE CASCADE,
        reason TEXT NOT NULL,
        transient INTEGER NOT NULL,             -- 1: try again at every run; 0: only when the file has changed
        tries INTEGER NOT NULL
    );
    """,
    """
    CREATE TABLE tags (
        content_id INTEGER NOT NULL REFERENCES contents ON DELETE CASCADE,
        tag TEXT NOT NULL COLLATE NOCASE,
        probability REAL,                       -- by rule; NULL: by hand
        PRIMARY KEY (content_id, tag)
    ) WITHOUT ROWID;
    CREATE INDEX tags_by_tag ON tags (tag);
    -- Each holds all that searches with several filters read.
    CREATE INDEX contents_by_date ON contents (taken_at, kind, camera, width, height);
    CREATE INDEX contents_by_place ON contents (latitude, longitude, kind, taken_at, camera);
    CREATE INDEX contents_by_camera ON contents (camera, kind, taken_at, width, height);
    ALTER TABLE contents ADD COLUMN waves BLOB; -- 64 little-endian float32: its perceptual hash before rounding
    """,
    # tag_key: a function of ours. SQLite's NOCASE knows the case of ASCII only.
    """
    CREATE TABLE new_tags (
        content_id INTEGER NOT NULL REFERENCES contents ON DELETE CASCADE,
        key TEXT NOT NULL,                      -- what tags are compared by
        tag TEXT NOT NULL,                      -- as it was first written
        probability REAL,                       -- by rule; NULL: by hand
        PRIMARY KEY (content_id, key)
    ) WITHOUT ROWID;
    INSERT OR IGNORE INTO new_tags
        SELECT content_id, tag_key(tag), tag, probability FROM tags ORDER BY probability IS NOT NULL;
    DROP TABLE tags;
    ALTER TABLE new_tags RENAME TO tags;
    CREATE INDEX tags_by_key ON tags (key);
    CREATE TABLE kept_tags (                    -- given by hand to contents that no file has now: it may be back tomorrow
        hash BLOB NOT NULL, key TEXT NOT NULL, tag TEXT NOT NULL,
        PRIMARY KEY (hash, key)
    ) WITHOUT ROWID;
    """,
    # Names, by which files and folders are found (names.py, which fills these for the files that are there already).
    """
    CREATE TABLE folders (
        id INTEGER PRIMARY KEY,
        root_id INTEGER NOT NULL REFERENCES roots ON DELETE CASCADE,
        path NOT NULL,                          -- below the root; '' is the root itself
        parent_id INTEGER REFERENCES folders ON DELETE CASCADE,
        key TEXT NOT NULL,                      -- of its own name
        UNIQUE (root_id, path)
    );
    CREATE INDEX folders_by_key ON folders (key);
    CREATE INDEX folders_by_parent ON folders (parent_id);
    ALTER TABLE files ADD COLUMN key TEXT;      -- of its own name, without the suffix
    ALTER TABLE files ADD COLUMN folder_id INTEGER REFERENCES folders ON DELETE SET NULL;
    CREATE INDEX files_by_key ON files (key, content_id);
    CREATE INDEX files_by_folder ON files (folder_id, content_id);
    """,
    """
    CREATE TABLE excluded (
        path NOT NULL UNIQUE                    -- absolute: a folder, or a file, that no run indexes
    );
    """,
    # What is known of pictures is as good as the reader that read them; what an older one read is read again once.
    """
    ALTER TABLE contents ADD COLUMN reader INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE failures ADD COLUMN reader INTEGER NOT NULL DEFAULT 0;
    CREATE TABLE skipped (                      -- files that look like pictures or videos and are not read
        root_id INTEGER NOT NULL REFERENCES roots ON DELETE CASCADE,
        folder NOT NULL,                        -- below the root; '' is the root itself
        kind TEXT NOT NULL,
        count INTEGER NOT NULL,
        PRIMARY KEY (root_id, folder, kind)
    ) WITHOUT ROWID;
    """,
)


def connect(folder: Path, *, create: bool) -> sqlite3.Connection:
    """Opens the library in `folder` and brings its schema up to date. Raises NoLibrary or LibraryError."""
    file = folder / DATABASE
    if not file.is_file():
        _check_absent(folder, create)
    read_only = file.is_file() and not (os.access(folder, os.W_OK) and os.access(file, os.W_OK))
    if read_only and create:
        raise LibraryError(f"the library at {folder} is read-only; use another --library to index")
    # On a read-only disk WAL's side files cannot be created, and nobody can write either: `immutable` works without them.
    address = f"file:{quote(os.fsencode(file))}?immutable=1" if read_only else os.fspath(file)
    try:
        if create:
            folder.mkdir(parents=True, exist_ok=True)
        # Autocommit mode: transactions are opened by hand, where they belong. Several threads may share a connection in turn.
        db = sqlite3.connect(address, uri=read_only, timeout=30, isolation_level=None, check_same_thread=False)
        db.execute("PRAGMA foreign_keys = ON")
        db.execute(f"PRAGMA cache_size = -{CACHE_KB}")
        db.create_function("tag_key", 1, tag_key, deterministic=True)
        _migrate(db, file)
    except OSError as error:
        raise LibraryError(f"cannot make a library at {folder}: {error.strerror}") from None
    except sqlite3.DatabaseError as error:
        if is_full(error):
            full = "If the disk is full, make room there"
            raise LibraryError(f"cannot make or open the library at {folder}: {error}. {full}") from None
        raise LibraryError(f"{file} is not a SeeSay library that can be opened ({error}); choose another --library") from None
    return db


def is_full(error: sqlite3.Error) -> bool:
    """Whether the disk is full; SQLite reports incomplete writes as input/output errors."""
    return getattr(error, "sqlite_errorname", "").startswith(("SQLITE_FULL", "SQLITE_IOERR", "SQLITE_CANTOPEN"))


def _check_absent(folder: Path, create: bool) -> None:
    if not create:
        raise NoLibrary(f"there is no library at {folder}. Make one with: seesay index FOLDER")
    if folder.is_file():
        raise LibraryError(f"{folder} is a file; a library is a folder. Choose another place for it")
    if folder.is_dir() and any(not file.name.startswith(GALLERY) for file in folder.iterdir()):
        raise LibraryError(f"{folder} is not empty and not a SeeSay library; choose a new or empty folder for the library")


def _migrate(db: sqlite3.Connection, file: Path) -> None:
    (application,) = db.execute("PRAGMA application_id").fetchone()
    (version,) = db.execute("PRAGMA user_version").fetchone()
    (tables,) = db.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if application != APPLICATION_ID and (application or version or tables):
        raise LibraryError(f"{file} is a database of another program; choose another --library")
    if version > len(MIGRATIONS):
        raise LibraryError(f"{file} was made by a newer SeeSay (schema {version}); this one knows up to {len(MIGRATIONS)}")
    if version == len(MIGRATIONS):
        return
    db.execute("PRAGMA journal_mode = WAL")
    for number in range(version + 1, len(MIGRATIONS) + 1):
        script = f"""BEGIN IMMEDIATE;
            {MIGRATIONS[number - 1]}
            PRAGMA application_id = {APPLICATION_ID};
            PRAGMA user_version = {number};"""
        try:
            db.executescript(script)
            if number == NAMED:
                names.fill(db)
            db.execute("COMMIT")
        except sqlite3.Error:
            if db.in_transaction:
                db.execute("ROLLBACK")
            (now,) = db.execute("PRAGMA user_version").fetchone()
            if now < number:  # otherwise another process was faster at the same migration
                raise
