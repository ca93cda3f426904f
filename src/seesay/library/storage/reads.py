"""What the library's tables answer: the reading half of `Store`."""

import json
import os
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import NamedTuple

import numpy as np

from seesay.errors import InputError
from seesay.library.search.filters import Filters, tag_key
from seesay.library.storage.links import in_order
from seesay.system.paths import below, from_db, join, printable, to_db

FEW_IDS = 1000  # up to here they are looked up one by one
FEW_NAMES = 10_000  # and the names of their files
OF_CONTENT = "CROSS JOIN items i ON i.content_id = c.id CROSS JOIN vectors v ON v.item_id = i.id"
OF_VECTOR = "CROSS JOIN items i ON i.id = v.item_id CROSS JOIN contents c ON c.id = i.content_id"


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
    tags: str | None  # one a line


class Passing(NamedTuple):
    """Vectors, each with its content and the time it was taken, "" where that is not known: all (N,)."""

    vectors: np.ndarray
    contents: np.ndarray
    taken_at: np.ndarray

    def where(self, which: np.ndarray) -> "Passing":
        return Passing(*(column[which] for column in self))


class PictureFile(NamedTuple):
    path: str
    size: int  # bytes
    width: int | None
    height: int | None
    taken_at: str | None
    id: str  # of its content, as FoundItem has it
    mtime_ns: int


class Reads:
    db: sqlite3.Connection

    def space(self, space_id: str) -> Space | None:
        row = self.db.execute("SELECT id, space_id, dim, model, token FROM spaces WHERE space_id = ?", (space_id,)).fetchone()
        return Space(*row) if row else None

    def spaces(self) -> list[Space]:
        return [Space(*row) for row in self.db.execute("SELECT id, space_id, dim, model, token FROM spaces")]

    def roots(self) -> dict[str, int]:
        return {from_db(path): root for root, path in self.db.execute("SELECT id, path FROM roots ORDER BY path")}

    def excluded(self) -> list[str]:
        """Absolute paths of what no run indexes, in order."""
        return sorted(from_db(path) for (path,) in self.db.execute("SELECT path FROM excluded"))

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

    def contents_under(self, path: str | None, most: int | None = None) -> np.ndarray:
        """(N,) int64, ascending: what has a file at or below an absolute path, or anywhere; of more than so many, only some."""
        found: set[int] = set()
        for root, root_id in self.roots().items():
            whole, part = (True, "") if path is None else overlap(root, path)
            if whole or part:
                found.update(islice(self._contents_of_root(root_id, part), most))
        return np.array(sorted(found), dtype=np.int64)

    def _contents_of_root(self, root: int, part: str) -> Iterator[int]:
        sql = "SELECT content_id FROM files f WHERE content_id IS NOT NULL AND root_id = ?"
        if not part:
            return (content for (content,) in self.db.execute(sql, (root,)))
        # Names below a folder sort between "folder/" and "folder0" (the character after /), as text or as bytes. One query for
        # each, because with OR the index would serve the root only.
        low, high = part + os.sep, part + chr(ord(os.sep) + 1)
        ranges = [(to_db(low), to_db(high)), (os.fsencode(low), os.fsencode(high))]
        found = [self.db.execute(f"{sql} AND f.path = ?", (root, to_db(part)))]
        found += [self.db.execute(f"{sql} AND f.path >= ? AND f.path < ?", (root, *ends)) for ends in ranges]
        return (content for (content,) in chain.from_iterable(found))

    def passing(self, filters: Filters, space: Space, kind: str, among: np.ndarray | None = None) -> Passing:
        """What has a file and filters let through, scores aside, in order of vector id; among these vector ids, if given."""
        conditions, values = _all_of(filters, few=among is not None and len(among) <= FEW_NAMES)
        inside = None if filters.folder is None else self.contents_under(filters.folder)
        if inside is None:  # what lies in a folder has a file
            conditions += " AND EXISTS (SELECT 1 FROM files f WHERE f.content_id = c.id)"
        # CROSS JOIN keeps the order in which the tables are looked into: from what is fewest to the rest.
        if among is not None:
            tables = f"json_each(?) x CROSS JOIN vectors v ON v.id = x.value {OF_VECTOR}"
            given = [json.dumps(among.tolist())]
        elif inside is not None:
            tables, given = (
                f"json_each(?) x CROSS JOIN contents c ON c.id = x.value {OF_CONTENT}",
                [json.dumps(inside.tolist())],
            )
        else:
            tables, given = f"contents c {OF_CONTENT}", []
        rows = self.db.execute(
            f"""SELECT v.id, c.id, c.taken_at FROM {tables}
                WHERE v.space = ? AND c.kind = ?{conditions} ORDER BY v.id""",
            (*given, space.id, kind, *values),
        ).fetchall()
        found = Passing(
            np.array([vector for vector, _, _ in rows], dtype=np.int64),
            np.array([content for _, content, _ in rows], dtype=np.int64),
            np.array([taken_at or "" for _, _, taken_at in rows], dtype=np.str_),
        )
        if among is None or inside is None:
            return found
        kept = np.isin(found.contents, inside)
        return found.where(kept)

    def few(self, filters: Filters, space: Space, kind: str, most: int) -> np.ndarray | None:
        """(N,) int64: the vectors that filters let through, scores aside, where the folder holds, or the other filters let
        through, at most so many contents; else None."""
        conditions, values = _all_of(filters)
        folder, small = filters.folder, False
        tables, given = "contents c", list[object]()
        if folder is not None:
            under = self.contents_under(folder, most + 1)
            if small := len(under) <= most:
                tables, given = "json_each(?) x CROSS JOIN contents c ON c.id = x.value", [json.dumps(under.tolist())]
        if not small and not conditions:
            return None
        sql = f"SELECT c.id FROM {tables} WHERE c.kind = ?{conditions} LIMIT ?"
        contents = sorted(content for (content,) in self.db.execute(sql, (*given, kind, *values, most + 1)))
        if len(contents) > most:
            return None
        rows = self.db.execute(
            """SELECT v.id FROM json_each(?) x CROSS JOIN items i ON i.content_id = x.value
               CROSS JOIN vectors v ON v.item_id = i.id AND v.space = ?""",
            (json.dumps(contents), space.id),
        )
        found = np.array([vector for (vector,) in rows], dtype=np.int64)
        return found if folder is None or small else self.inside(found, folder)

    def inside(self, vector_ids: np.ndarray, folder: str) -> np.ndarray:
        """Those of which a file lies at or below an absolute path."""
        rows = self.db.execute(
            """SELECT v.id, r.path, f.path FROM json_each(?) x CROSS JOIN vectors v ON v.id = x.value
               CROSS JOIN items i ON i.id = v.item_id CROSS JOIN files f ON f.content_id = i.content_id
               CROSS JOIN roots r ON r.id = f.root_id""",
            (json.dumps(vector_ids.tolist()),),
        )
        found = {at for at, root, path in rows if below(join(from_db(root), from_db(path)), folder) is not None}
        return np.array(sorted(found), dtype=np.int64)

    def items(self, vector_ids: Sequence[int], filters: Filters) -> dict[int, tuple[FoundItem, list[str]]]:
        """The live items behind these vector ids that filters let through, scores aside, each with the paths of its files, the
        one to show first; one without any file is left out."""
        found: dict[int, tuple[FoundItem, list[str]]] = {}
        files: dict[int, list[tuple[str, int]]] = {}
        conditions, values = _all_of(filters, few=True)
        rows = self.db.execute(
            f"""SELECT v.id, r.path, f.path, f.mtime_ns,
                       lower(hex(substr(c.hash, 1, 6))) || coalesce(':' || i.line, ''), c.kind, i.line, i.text,
                       c.width, c.height, c.taken_at, c.camera, c.latitude, c.longitude,
                       (SELECT group_concat(tag, char(10)) FROM tags t WHERE t.content_id = c.id)
                FROM json_each(?) x CROSS JOIN vectors v ON v.id = x.value {OF_VECTOR}
                CROSS JOIN files f ON f.content_id = c.id CROSS JOIN roots r ON r.id = f.root_id
                WHERE true{conditions}""",
            (json.dumps(list(vector_ids)), *values),
        )
        for vector_id, root, path, mtime_ns, *rest in rows:  # rest: the columns of FoundItem
            found.setdefault(vector_id, (FoundItem(*rest), []))
            files.setdefault(vector_id, []).append((join(from_db(root), from_db(path)), mtime_ns))
        for vector_id, some in files.items():
            found[vector_id][1].extend(in_order(some))
        if (folder := filters.folder) is not None:
            return {at: item for at, item in found.items() if any(below(path, folder) is not None for path in item[1])}
        return found

    def paths_of(self, contents: Sequence[int]) -> dict[int, str]:
        """Of each content that has any, the file to show."""
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
        wanted, found = set(contents.tolist()), dict[int, list[PictureFile]]()
        for content, root, path, *facts in rows:
            full = join(from_db(root), from_db(path))
            if content in wanted and (filters.folder is None or below(full, filters.folder) is not None):
                found.setdefault(content, []).append(PictureFile(full, *facts))
        return found

    def waves(self) -> dict[int, bytes]:
        """Of the contents that have them."""
        return dict(self.db.execute("SELECT id, waves FROM contents WHERE waves IS NOT NULL").fetchall())

    def vector_of(self, item: str, space: Space) -> bytes | None:
        """The vector of a live item by its id; of two contents whose hashes begin alike, the first."""
        start, _, line = item.partition(":")
        low = bytes.fromhex(start)
        row = self.db.execute(
            f"""SELECT v.vector FROM contents c {OF_CONTENT}
               WHERE c.hash >= ? AND c.hash < ? AND i.line IS ? AND v.space = ?
               AND EXISTS (SELECT 1 FROM files f WHERE f.content_id = c.id) ORDER BY c.hash LIMIT 1""",
            (low, low + b"\xff" * 27, int(line) if line else None, space.id),
        ).fetchone()
        return row[0] if row else None

    def live(self, ids: np.ndarray) -> np.ndarray:
        """ids (N,) of vectors -> (N,) bool: which are still there."""
        if len(ids) <= FEW_IDS:
            rows = self.db.execute(
                "SELECT id FROM vectors WHERE id IN (SELECT value FROM json_each(?))", (json.dumps(ids.tolist()),)
            )
            known = {each for (each,) in rows}
            return np.fromiter((each in known for each in ids.tolist()), dtype=bool, count=len(ids))
        there = np.fromiter((each for (each,) in self.db.execute("SELECT id FROM vectors")), dtype=np.int64)
        return np.isin(ids, there)

    def tags(self) -> dict[str, int]:
        """Pictures by tag."""
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

        known = {tag_key(tag): tag for tag in self.tags()}
        for tag in filters.tags:
            if tag_key(tag) not in known:
                near = get_close_matches(tag_key(tag), known, 1)
                raise InputError(
                    f"tag: no picture is tagged {tag!r}" + (f"; did you mean {known[near[0]]!r}?" if near else ""),
                    parameter="tag",
                    expected="a tag that a picture has",
                    got=tag,
                )

    def pictures(self, under: str | None) -> np.ndarray:
        """(N,) int64, ascending: the pictures at or below an absolute path, or anywhere. Raises InputError where none is."""
        rows = self.db.execute(
            "SELECT c.id FROM json_each(?) x CROSS JOIN contents c ON c.id = x.value WHERE c.kind = 'image'",
            (json.dumps(self.contents_under(under).tolist()),),
        )
        found = np.fromiter((content for (content,) in rows), dtype=np.int64)
        if not len(found):
            raise InputError(
                "the library holds no picture; index some first: seesay index FOLDER"
                if under is None
                else f"{printable(under)}: the library holds no picture there; index it first: seesay index FOLDER"
            )
        return found

    def count_files(self) -> dict[str, int]:
        """Files by kind: image, text, failed."""
        return dict(
            self.db.execute(
                """SELECT coalesce(c.kind, 'failed'), count(*) FROM files f
                   LEFT JOIN contents c ON c.id = f.content_id GROUP BY 1"""
            ).fetchall()
        )

    def count_contents(self) -> dict[str, int]:
        """What these files hold by kind, copies counted once."""
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
        """The key of a file's name each, by content."""
        rows = self.db.execute(
            """SELECT content_id, min(key) FROM files WHERE content_id IN (SELECT value FROM json_each(?))
               GROUP BY content_id""",
            (json.dumps(list(contents)),),
        )
        return {content: key or "" for content, key in rows}

    def failures(self) -> list[tuple[str, str, int]]:
        """(absolute path, reason, tries) of every file that could not be read."""
        rows = self.db.execute(
            """SELECT r.path, f.path, x.reason, x.tries FROM failures x
               JOIN files f ON f.id = x.file_id JOIN roots r ON r.id = f.root_id ORDER BY r.path, f.path"""
        )
        return [(join(from_db(root), from_db(path)), reason, tries) for root, path, reason, tries in rows]


def _all_of(filters: Filters, *, few: bool = False) -> tuple[str, list[object]]:
    """Conditions to add to a WHERE, with their values."""
    found = list(filters.conditions(few=few))
    return "".join(f" AND {condition}" for condition, _ in found), [value for _, values in found for value in values]


def overlap(root: str, folder: str) -> tuple[bool, str]:
    """(the root lies inside the folder, the folder's path below the root or '')."""
    if below(root, folder) is not None:
        return True, ""
    return False, below(folder, root) or ""
