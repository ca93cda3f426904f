"""Names of files and folders, compared in any case, with any separators and without the suffix.

In the database a file has the key of its own name and a folder; a folder has the key of its own name and a parent, up to the
root. A picture also bears the names that it is tagged with, such as those that `seesay identify` gives.
"""

import os
import re
import sqlite3
import unicodedata

from seesay.system.paths import StoredPath, from_db, to_db

SEPARATORS = re.compile(r"[\s_\-.,()\[\]+]+")
INSIDE = """WITH RECURSIVE inside (id) AS (
    SELECT id FROM folders WHERE {condition} UNION SELECT f.id FROM folders f JOIN inside i ON f.parent_id = i.id
)"""


def name_key(name: str) -> str:
    """The key that names without suffix are compared by: "IMG_2022" and "img 2022" have the same one."""
    return SEPARATORS.sub(" ", unicodedata.normalize("NFKC", name).casefold()).strip()


def file_key(path: str) -> str:
    """The key of a file's name without the suffix. Bytes of a name that are not UTF-8 are ignored."""
    return name_key(_readable(os.path.splitext(os.path.basename(path))[0]))


def folder_key(path: str) -> str:
    """The key of a folder's own name."""
    return name_key(_readable(os.path.basename(path)))


def _readable(name: str) -> str:
    return name.encode("utf-8", "ignore").decode("utf-8")


class Folders:
    """The table of folders: rows are added when a file needs them, and their ids are cached."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self.db = db
        self._ids: dict[tuple[int, StoredPath], int] = {}

    def of_file(self, root: int, path: str) -> int:
        """The folder of a file by its path below the root ('' where the root is the file)."""
        return self._folder(root, os.path.dirname(path), is_file=not path)

    def _folder(self, root: int, path: str, *, is_file: bool = False) -> int:
        stored = to_db(path)
        if (cached := self._ids.get((root, stored))) is not None:
            return cached
        parent = None
        if path:
            parent, key = self._folder(root, os.path.dirname(path)), folder_key(path)
        else:
            (whole,) = self.db.execute("SELECT path FROM roots WHERE id = ?", (root,)).fetchone()
            key = folder_key(os.path.dirname(from_db(whole)) if is_file else from_db(whole))
        self.db.execute(
            "INSERT OR IGNORE INTO folders (root_id, path, parent_id, key) VALUES (?, ?, ?, ?)", (root, stored, parent, key)
        )
        (folder,) = self.db.execute("SELECT id FROM folders WHERE root_id = ? AND path = ?", (root, stored)).fetchone()
        self._ids[root, stored] = folder
        return int(folder)

    def clear_cache(self) -> None:
        """Forgets cached ids; to be called after a transaction was rolled back or roots were removed."""
        self._ids.clear()


def fill(db: sqlite3.Connection) -> None:
    """Migration: adds keys and folders of files in a library that was made before names could be searched."""
    roots = dict(db.execute("SELECT id, path FROM roots"))
    folders = Folders(db)
    for file, root, stored in db.execute("SELECT id, root_id, path FROM files WHERE folder_id IS NULL").fetchall():
        path = from_db(stored)
        key = file_key(path or from_db(roots[root]))
        db.execute("UPDATE files SET key = ?, folder_id = ? WHERE id = ?", (key, folders.of_file(root, path), file))


def contents_with_name(name: str, tag: str) -> tuple[str, list[object]]:
    """SQL for the ids of contents that have a file with this part of a name in its own or a folder's name, or the tag with this
    key, and its values."""
    key = name_key(name)
    inside = INSIDE.format(condition="instr(key, ?) > 0")
    return (
        f"""{inside} SELECT content_id FROM files WHERE instr(key, ?) > 0 AND content_id IS NOT NULL
            UNION ALL SELECT content_id FROM files WHERE folder_id IN (SELECT id FROM inside) AND content_id IS NOT NULL
            UNION ALL SELECT content_id FROM tags WHERE key = ?""",
        [key, key, tag],
    )


def has_name(name: str, tag: str) -> tuple[str, list[object]]:
    """The same as a condition on one content `c`, and its values: faster where few contents are tested."""
    key = name_key(name)
    inside = INSIDE.format(condition="instr(key, ?) > 0")
    return (
        f"""(EXISTS (SELECT 1 FROM files n WHERE n.content_id = c.id
            AND (instr(n.key, ?) > 0 OR n.folder_id IN ({inside} SELECT id FROM inside)))
            OR EXISTS (SELECT 1 FROM tags t WHERE t.content_id = c.id AND t.key = ?))""",
        [key, key, tag],
    )


def contents_named(key: str, tag: str) -> tuple[str, list[object]]:
    """SQL for the ids of contents whose own name, or a folder's name, has exactly this key, or a tag that key, and its values;
    by index."""
    inside = INSIDE.format(condition="key = ?")
    return (
        f"""{inside} SELECT content_id FROM files WHERE key = ? AND content_id IS NOT NULL
            UNION SELECT content_id FROM files WHERE folder_id IN (SELECT id FROM inside) AND content_id IS NOT NULL
            UNION SELECT content_id FROM tags WHERE key = ?""",
        [key, key, tag],
    )
