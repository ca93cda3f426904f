"""Names of files and folders, as searches compare them: in any case, with any separators, without the suffix.

Each file has the key of its own name, and a folder, whose own name has a key as well and which lies in another one up to the
root.
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
    """What names are compared by: "IMG_2022.jpg" and "img 2022" have one key, as long as the suffix is taken off before."""
    return SEPARATORS.sub(" ", unicodedata.normalize("NFKC", name).casefold()).strip()


def file_key(path: str) -> str:
    """Of a file, without the suffix; a name that is not UTF-8 has the key of what can be read of it."""
    return name_key(_readable(os.path.splitext(os.path.basename(path))[0]))


def folder_key(path: str) -> str:
    return name_key(_readable(os.path.basename(path)))


def _readable(name: str) -> str:
    return name.encode("utf-8", "ignore").decode("utf-8")


class Folders:
    """The folders of roots in the database, made when a file needs them."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self.db = db
        self._known: dict[tuple[int, StoredPath], int] = {}

    def of_file(self, root: int, path: str) -> int:
        """The folder of a file by its path below the root ('' where the root is the file)."""
        return self._folder(root, os.path.dirname(path), is_file=not path)

    def _folder(self, root: int, path: str, *, is_file: bool = False) -> int:
        stored = to_db(path)
        if (known := self._known.get((root, stored))) is not None:
            return known
        parent = None
        if path:
            parent, key = self._folder(root, os.path.dirname(path)), folder_key(path)
        else:
            (whole,) = self.db.execute("SELECT path FROM roots WHERE id = ?", (root,)).fetchone()
            key = folder_key(os.path.dirname(from_db(whole)) if is_file else from_db(whole))
        self.db.execute(
            "INSERT OR IGNORE INTO folders (root_id, path, parent_id, key) VALUES (?, ?, ?, ?)", (root, stored, parent, key)
        )
        (found,) = self.db.execute("SELECT id FROM folders WHERE root_id = ? AND path = ?", (root, stored)).fetchone()
        self._known[root, stored] = found
        return int(found)

    def forget_known(self) -> None:
        """After a transaction that was rolled back, or roots that are gone."""
        self._known.clear()


def fill(db: sqlite3.Connection) -> None:
    """Gives files that have none yet their keys and folders: those of a library made before names were searched."""
    roots = dict(db.execute("SELECT id, path FROM roots"))
    folders = Folders(db)
    for file, root, stored in db.execute("SELECT id, root_id, path FROM files WHERE folder_id IS NULL").fetchall():
        path = from_db(stored)
        key = file_key(path or from_db(roots[root]))
        db.execute("UPDATE files SET key = ?, folder_id = ? WHERE id = ?", (key, folders.of_file(root, path), file))


def containing(name: str) -> tuple[str, list[object]]:
    """SQL for the contents that have a file whose name, or one of whose folders' names, holds a part of a name; its values."""
    key = name_key(name)
    inside = INSIDE.format(condition="instr(key, ?) > 0")
    return (
        f"""{inside} SELECT content_id FROM files WHERE instr(key, ?) > 0 AND content_id IS NOT NULL
            UNION ALL SELECT content_id FROM files WHERE folder_id IN (SELECT id FROM inside) AND content_id IS NOT NULL""",
        [key, key],
    )


def named(name: str) -> tuple[str, list[object]]:
    """The same as a condition on a content `c`, with its values: for a few, of which it looks at the files of each."""
    key = name_key(name)
    inside = INSIDE.format(condition="instr(key, ?) > 0")
    return (
        f"""EXISTS (SELECT 1 FROM files n WHERE n.content_id = c.id
            AND (instr(n.key, ?) > 0 OR n.folder_id IN ({inside} SELECT id FROM inside)))""",
        [key, key],
    )


def called(key: str) -> tuple[str, list[object]]:
    """The same for those whose name, or one of whose folders' names, is exactly this key, by its index."""
    inside = INSIDE.format(condition="key = ?")
    return (
        f"""{inside} SELECT content_id FROM files WHERE key = ? AND content_id IS NOT NULL
            UNION SELECT content_id FROM files WHERE folder_id IN (SELECT id FROM inside) AND content_id IS NOT NULL""",
        [key, key],
    )
