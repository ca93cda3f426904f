"""`Reads`: queries of the library's tables, the reading half of `Store`."""

import json
import os
import sqlite3
from collections.abc import Iterator, Sequence
from itertools import chain, islice

import numpy as np

from seesay.errors import InputError
from seesay.library.search.filters import Filters, tag_key
from seesay.library.storage.links import in_order
from seesay.library.storage.rows import FACTS, FailedFile, ItemFacts, LiveItem, PictureFile, Selection, Space, facts_from
from seesay.library.vectors.index import VectorRow
from seesay.system.paths import below, from_db, join, printable, to_db

FEW_IDS = 1000  # up to so many ids are looked up one by one
FEW_NAMES = 10_000  # up to so many, the names of each one's files are compared, instead of all names
FROM_CONTENT = "CROSS JOIN items i ON i.content_id = c.id CROSS JOIN vectors v ON v.item_id = i.id"
FROM_VECTOR = "CROSS JOIN items i ON i.id = v.item_id CROSS JOIN contents c ON c.id = i.content_id"


class Reads:
    """Queries of a library's database; each returns records or arrays of ids, none of them changes anything."""

    db: sqlite3.Connection

    def space(self, space_id: str) -> Space | None:
        """The space, if the library has vectors of it."""
        row = self.db.execute("SELECT id, space_id, dim, model, token FROM spaces WHERE space_id = ?", (space_id,)).fetchone()
        return Space(*row) if row else None

    def spaces(self) -> list[Space]:
        """Every space that the library has vectors of."""
        return [Space(*row) for row in self.db.execute("SELECT id, space_id, dim, model, token FROM spaces")]

    def roots(self) -> dict[str, int]:
        """Indexed folders and single files: absolute path -> id, in order of path."""
        return {from_db(path): root for root, path in self.db.execute("SELECT id, path FROM roots ORDER BY path")}

    def excluded(self) -> list[str]:
        """Absolute paths of the folders and files that no run indexes, in order."""
        return sorted(from_db(path) for (path,) in self.db.execute("SELECT path FROM excluded"))

    def last_vector_id(self) -> int:
        """The highest vector id that was ever given out, 0 before the first."""
        row = self.db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'vectors'").fetchone()
        return row[0] if row else 0

    def vectors_after(self, last_id: int, space: Space) -> Iterator[VectorRow]:
        """Every vector of the space with a higher id, in order of id."""
        rows = self.db.execute(
            """SELECT v.id, c.kind, v.vector FROM vectors v
               JOIN items i ON i.id = v.item_id JOIN contents c ON c.id = i.content_id
               WHERE v.space = ? AND v.id > ? ORDER BY v.id""",
            (space.id, last_id),
        )
        return map(VectorRow._make, rows)

    def count_vectors(self, space: Space) -> dict[str, int]:
        """Vectors of the space by kind."""
        return dict(
            self.db.execute(
                """SELECT c.kind, count(*) FROM vectors v
                   JOIN items i ON i.id = v.item_id JOIN contents c ON c.id = i.content_id
                   WHERE v.space = ? GROUP BY c.kind""",
                (space.id,),
            ).fetchall()
        )

    def builds(self, space: Space, most: int) -> set[str]:
        """The builds that made the vectors of the space: those of the `most` oldest and newest."""
        found: set[str] = set()
        for order in ("ASC", "DESC"):
            sql = f"SELECT build_id FROM vectors WHERE space = ? ORDER BY id {order} LIMIT ?"
            found.update(build for (build,) in self.db.execute(sql, (space.id, most)))
        return found

    def held(self, root: int, path: str, space: Space) -> tuple[int, int, bytes] | None:
        """(size, mtime_ns, hash) of a picture's file that has a vector in the space; None where there is none."""
        row = self.db.execute(
            """SELECT f.size, f.mtime_ns, c.hash FROM files f JOIN contents c ON c.id = f.content_id
               JOIN items i ON i.content_id = c.id JOIN vectors v ON v.item_id = i.id AND v.space = ?
               WHERE f.root_id = ? AND f.path = ?""",
            (space.id, root, to_db(path)),
        ).fetchone()
        return None if row is None else (row[0], row[1], row[2])

    def count_items(self, content: int, space: Space) -> int:
        """Items of a content that have a vector in the space."""
        (count,) = self.db.execute(
            "SELECT count(*) FROM items i JOIN vectors v ON v.item_id = i.id AND v.space = ? WHERE i.content_id = ?",
            (space.id, content),
        ).fetchone()
        return int(count)

    def contents_under(self, path: str | None, limit: int | None = None) -> np.ndarray:
        """(N,) int64, ascending: contents that have a file at or below an absolute path, or anywhere (None).

        limit: per root, so many are enough.
        """
        contents: set[int] = set()
        for root, root_id in self.roots().items():
            whole, part = (True, "") if path is None else overlap(root, path)
            if whole or part:
                contents.update(islice(self._contents_of_root(root_id, part), limit))
        return np.array(sorted(contents), dtype=np.int64)

    def _contents_of_root(self, root: int, part: str) -> Iterator[int]:
        sql = "SELECT content_id FROM files f WHERE content_id IS NOT NULL AND root_id = ?"
        if not part:
            return (content for (content,) in self.db.execute(sql, (root,)))
        # Names below a folder sort between "folder/" and "folder0" (the character after /), as text or as bytes. One query for
        # each, because with OR the index would serve the root only.
        low, high = part + os.sep, part + chr(ord(os.sep) + 1)
        ranges = [(to_db(low), to_db(high)), (os.fsencode(low), os.fsencode(high))]
        queries = [self.db.execute(f"{sql} AND f.path = ?", (root, to_db(part)))]
        queries += [self.db.execute(f"{sql} AND f.path >= ? AND f.path < ?", (root, *ends)) for ends in ranges]
        return (content for (content,) in chain.from_iterable(queries))

    def select(self, filters: Filters, space: Space, kind: str, among: np.ndarray | None = None) -> Selection:
        """The vectors whose item has a file and passes the filters, cosines aside, in order of vector id.

        among: vector ids to choose from; default: all.
        """
        conditions, values = _conditions(filters, few=among is not None and len(among) <= FEW_NAMES)
        inside = None if filters.folder is None else self.contents_under(filters.folder)
        if inside is None:  # the contents of a folder have a file
            conditions += " AND EXISTS (SELECT 1 FROM files f WHERE f.content_id = c.id)"
        # CROSS JOIN keeps the order in which the tables are looked into: from what is fewest to the rest.
        if among is not None:
            tables = f"json_each(?) x CROSS JOIN vectors v ON v.id = x.value {FROM_VECTOR}"
            start = [json.dumps(among.tolist())]
        elif inside is not None:
            tables = f"json_each(?) x CROSS JOIN contents c ON c.id = x.value {FROM_CONTENT}"
            start = [json.dumps(inside.tolist())]
        else:
            tables, start = f"contents c {FROM_CONTENT}", []
        rows = self.db.execute(
            f"""SELECT v.id, c.id, c.taken_at FROM {tables}
                WHERE v.space = ? AND c.kind = ?{conditions} ORDER BY v.id""",
            (*start, space.id, kind, *values),
        ).fetchall()
        selection = Selection(
            np.array([vector for vector, _, _ in rows], dtype=np.int64),
            np.array([content for _, content, _ in rows], dtype=np.int64),
            np.array([taken_at or "" for _, _, taken_at in rows], dtype=np.str_),
        )
        if among is None or inside is None:
            return selection
        return selection.where(np.isin(selection.contents, inside))

    def select_few(self, filters: Filters, space: Space, kind: str, limit: int) -> np.ndarray | None:
        """(N,) int64: the vectors that pass the filters, cosines aside; None where these leave more than `limit` contents.

        Counted are the contents of the folder, or those that pass the other filters.
        """
        conditions, values = _conditions(filters)
        folder, small = filters.folder, False
        tables, start = "contents c", list[object]()
        if folder is not None:
            under = self.contents_under(folder, limit + 1)
            if small := len(under) <= limit:
                tables, start = "json_each(?) x CROSS JOIN contents c ON c.id = x.value", [json.dumps(under.tolist())]
        if not small and not conditions:
            return None
        sql = f"SELECT c.id FROM {tables} WHERE c.kind = ?{conditions} LIMIT ?"
        contents = sorted(content for (content,) in self.db.execute(sql, (*start, kind, *values, limit + 1)))
        if len(contents) > limit:
            return None
        rows = self.db.execute(
            """SELECT v.id FROM json_each(?) x CROSS JOIN items i ON i.content_id = x.value
               CROSS JOIN vectors v ON v.item_id = i.id AND v.space = ?""",
            (json.dumps(contents), space.id),
        )
        ids = np.array([vector for (vector,) in rows], dtype=np.int64)
        return ids if folder is None or small else self.vectors_in_folder(ids, folder)

    def vectors_in_folder(self, ids: np.ndarray, folder: str) -> np.ndarray:
        """Vector ids (N,) -> those, ascending, that have a file at or below an absolute path."""
        rows = self.db.execute(
            """SELECT v.id, r.path, f.path FROM json_each(?) x CROSS JOIN vectors v ON v.id = x.value
               CROSS JOIN items i ON i.id = v.item_id CROSS JOIN files f ON f.content_id = i.content_id
               CROSS JOIN roots r ON r.id = f.root_id""",
            (json.dumps(ids.tolist()),),
        )
        inside = {at for at, root, path in rows if below(join(from_db(root), from_db(path)), folder) is not None}
        return np.array(sorted(inside), dtype=np.int64)

    def items(self, vector_ids: Sequence[int], filters: Filters) -> dict[int, LiveItem]:
        """The items of these vectors that have a file and pass the filters, cosines aside, by vector id."""
        facts: dict[int, ItemFacts] = {}
        files: dict[int, list[tuple[str, int]]] = {}
        conditions, values = _conditions(filters, few=True)
        rows = self.db.execute(
            f"""SELECT v.id, r.path, f.path, f.mtime_ns,
                       lower(hex(substr(c.hash, 1, 6))) || coalesce(':' || i.line, ''), c.kind, i.line, i.text, {FACTS}
                FROM json_each(?) x CROSS JOIN vectors v ON v.id = x.value {FROM_VECTOR}
                CROSS JOIN files f ON f.content_id = c.id CROSS JOIN roots r ON r.id = f.root_id
                WHERE true{conditions}""",
            (json.dumps(list(vector_ids)), *values),
        )
        for vector_id, root, path, mtime_ns, name, kind, line, text, *columns in rows:
            if vector_id not in facts:
                facts[vector_id] = ItemFacts(id=name, kind=kind, line=line, text=text, **facts_from(columns))
            files.setdefault(vector_id, []).append((join(from_db(root), from_db(path)), mtime_ns))
        items = {vector_id: LiveItem(facts[vector_id], in_order(some)) for vector_id, some in files.items()}
        if (folder := filters.folder) is not None:
            return {at: item for at, item in items.items() if any(below(path, folder) is not None for path in item.paths)}
        return items

    def shown_paths(self, contents: Sequence[int]) -> dict[int, str]:
        """The path to show for each content that has a file."""
        files: dict[int, list[tuple[str, int]]] = {}
        for start in range(0, len(contents), 500):
            some = contents[start : start + 500]
            rows = self.db.execute(
                f"""SELECT f.content_id, r.path, f.path, f.mtime_ns FROM files f JOIN roots r ON r.id = f.root_id
                    WHERE f.content_id IN ({",".join("?" * len(some))})""",
                tuple(some),
            )
            for content, root, path, mtime_ns in rows:
                files.setdefault(content, []).append((join(from_db(root), from_db(path)), mtime_ns))
        return {content: in_order(some)[0] for content, some in files.items()}

    def picture_files(self, contents: np.ndarray, filters: Filters) -> dict[int, list[PictureFile]]:
        """The files of pictures, by content; with a folder to filter by, those inside it."""
        rows = self.db.execute(
            """SELECT c.id, r.path, f.path, f.size, c.width, c.height, c.taken_at,
                      lower(hex(substr(c.hash, 1, 6))), f.mtime_ns
               FROM files f JOIN contents c ON c.id = f.content_id JOIN roots r ON r.id = f.root_id
               WHERE c.kind = 'image' ORDER BY r.path, f.path"""
        )
        requested = set(contents.tolist())
        files: dict[int, list[PictureFile]] = {}
        for content, root, path, *facts in rows:
            full = join(from_db(root), from_db(path))
            if content in requested and (filters.folder is None or below(full, filters.folder) is not None):
                files.setdefault(content, []).append(PictureFile(full, *facts))
        return files

    def waves(self) -> dict[int, bytes]:
        """The unrounded perceptual hash (64 little-endian float32) of each content that has one."""
        return dict(self.db.execute("SELECT id, waves FROM contents WHERE waves IS NOT NULL").fetchall())

    def vector(self, item: str, space: Space) -> bytes | None:
        """The vector of an item that has a file, by its id; of two contents whose hashes begin alike, the first."""
        start, _, line = item.partition(":")
        low = bytes.fromhex(start)
        row = self.db.execute(
            f"""SELECT v.vector FROM contents c {FROM_CONTENT}
               WHERE c.hash >= ? AND c.hash < ? AND i.line IS ? AND v.space = ?
               AND EXISTS (SELECT 1 FROM files f WHERE f.content_id = c.id) ORDER BY c.hash LIMIT 1""",
            (low, low + b"\xff" * 27, int(line) if line else None, space.id),
        ).fetchone()
        return row[0] if row else None

    def live(self, ids: np.ndarray) -> np.ndarray:
        """Vector ids (N,) -> (N,) bool: which the database still has."""
        if len(ids) <= FEW_IDS:
            rows = self.db.execute(
                "SELECT id FROM vectors WHERE id IN (SELECT value FROM json_each(?))", (json.dumps(ids.tolist()),)
            )
            live = {each for (each,) in rows}
            return np.fromiter((each in live for each in ids.tolist()), dtype=bool, count=len(ids))
        every = np.fromiter((each for (each,) in self.db.execute("SELECT id FROM vectors")), dtype=np.int64)
        return np.isin(ids, every)

    def tag_counts(self) -> dict[str, int]:
        """Pictures by tag, as it was first written."""
        rows = self.db.execute(
            """SELECT min(tag), count(*) FROM tags t
               WHERE EXISTS (SELECT 1 FROM files f WHERE f.content_id = t.content_id) GROUP BY key ORDER BY key"""
        )
        return dict(rows.fetchall())

    def check_tags(self, filters: Filters) -> None:
        """Raises InputError for a tag that no picture has, with the nearest one that some have."""
        if not filters.tags:
            return
        from difflib import get_close_matches  # only a mistake needs it, and a search's start is to be short

        tags = {tag_key(tag): tag for tag in self.tag_counts()}
        for tag in filters.tags:
            if tag_key(tag) not in tags:
                near = get_close_matches(tag_key(tag), tags, 1)
                raise InputError(
                    f"tag: no picture is tagged {tag!r}" + (f"; did you mean {tags[near[0]]!r}?" if near else ""),
                    parameter="tag",
                    expected="a tag that a picture has",
                    got=tag,
                )

    def pictures_under(self, path: str | None) -> list[int]:
        """The contents, ascending, that are pictures with a file at or below an absolute path, or anywhere (None)."""
        rows = self.db.execute(
            "SELECT c.id FROM json_each(?) x CROSS JOIN contents c ON c.id = x.value WHERE c.kind = 'image'",
            (json.dumps(self.contents_under(path).tolist()),),
        )
        return [content for (content,) in rows]

    def require_pictures(self, path: str | None) -> None:
        """Raises InputError where no picture is indexed at or below an absolute path, or anywhere (None)."""
        if not self.pictures_under(path):
            raise no_pictures(path)

    def count_files(self) -> dict[str, int]:
        """Files by kind: image, text, failed."""
        return dict(
            self.db.execute(
                """SELECT coalesce(c.kind, 'failed'), count(*) FROM files f
                   LEFT JOIN contents c ON c.id = f.content_id GROUP BY 1"""
            ).fetchall()
        )

    def count_contents(self) -> dict[str, int]:
        """Contents that have a file, by kind: copies count once."""
        return dict(
            self.db.execute(
                """SELECT c.kind, count(*) FROM contents c
                   WHERE EXISTS (SELECT 1 FROM files f WHERE f.content_id = c.id) GROUP BY c.kind"""
            ).fetchall()
        )

    def skipped(self) -> dict[str, int]:
        """Files that look like pictures or videos and are not read, by kind, the most first."""
        rows = self.db.execute("SELECT kind, sum(count) FROM skipped GROUP BY kind ORDER BY sum(count) DESC, kind")
        return {kind: int(count) for kind, count in rows}

    def name_keys(self, contents: Sequence[int]) -> dict[int, str]:
        """The key of the name of one of its files, by content."""
        rows = self.db.execute(
            """SELECT content_id, min(key) FROM files WHERE content_id IN (SELECT value FROM json_each(?))
               GROUP BY content_id""",
            (json.dumps(list(contents)),),
        )
        return {content: key or "" for content, key in rows}

    def failures(self) -> list[FailedFile]:
        """Every file that could not be read, in order of path."""
        rows = self.db.execute(
            """SELECT r.path, f.path, x.reason, x.tries FROM failures x
               JOIN files f ON f.id = x.file_id JOIN roots r ON r.id = f.root_id ORDER BY r.path, f.path"""
        )
        return [FailedFile(join(from_db(root), from_db(path)), reason, tries) for root, path, reason, tries in rows]


def _conditions(filters: Filters, *, few: bool = False) -> tuple[str, list[object]]:
    """The filters' conditions to add to a WHERE, with their values."""
    conditions = list(filters.conditions(few=few))
    return "".join(f" AND {sql}" for sql, _ in conditions), [value for _, values in conditions for value in values]


def no_pictures(path: str | None) -> InputError:
    """The error for a path without indexed pictures, or a library without any (None)."""
    if path is None:
        return InputError("the library holds no picture; index some first: seesay index FOLDER")
    return InputError(f"{printable(path)}: the library holds no picture there; index it first: seesay index FOLDER")


def overlap(root: str, folder: str) -> tuple[bool, str]:
    """(whether the root is inside the folder, the folder's path below the root or '')."""
    if below(root, folder) is not None:
        return True, ""
    return False, below(folder, root) or ""
