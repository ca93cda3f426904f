"""Lists a library's pictures: all in columns, one with its files, counts by folder and camera."""

import os
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import numpy as np

from seesay.errors import InputError
from seesay.library.search.filters import Filters
from seesay.library.search.query import ID
from seesay.library.session import Session
from seesay.library.storage.links import by_age
from seesay.library.storage.reads import Reads
from seesay.library.storage.rows import FACTS, PictureFacts, PictureFile, facts_from
from seesay.system.paths import from_db, join

Order = Literal["newest", "oldest", "name"]
ORDERS = get_args(Order)


class Listing(NamedTuple):
    """Pictures in order, in columns.

    sizes: (width, height) in pixels. dates: days such as 2024-05-17, "" where unknown. names: of files, "" where the date is
    known.
    """

    ids: list[str]
    sizes: list[tuple[int, int]]
    dates: list[str]
    names: list[str]


@dataclass(frozen=True)
class Picture:
    """A picture with every file that holds it, the one to show first."""

    facts: PictureFacts
    files: tuple[PictureFile, ...]


def listing(reads: Reads, filters: Filters, order: Order) -> Listing:
    """Every picture that has a file and passes the filters, scores aside. Raises InputError."""
    if order not in ORDERS:
        raise InputError(
            f"the order is one of {', '.join(ORDERS)}, got {order!r}",
            parameter="order",
            expected=f"one of {', '.join(ORDERS)}",
            got=order,
        )
    if filters.min_score is not None:
        raise InputError(
            "min_score: nothing is searched for, so nothing has a score", parameter="min_score", got=filters.min_score
        )
    reads.check_tags(filters)
    sql = list(filters.conditions())
    conditions = "".join(f" AND {condition}" for condition, _ in sql)
    rows = reads.db.execute(
        f"""SELECT c.id, lower(hex(substr(c.hash, 1, 6))), coalesce(c.width, 0), coalesce(c.height, 0),
                   coalesce(substr(c.taken_at, 1, 10), ''), min(f.path)
            FROM contents c JOIN files f ON f.content_id = c.id
            WHERE c.kind = 'image'{conditions} GROUP BY c.id ORDER BY {_order_by(order)}""",
        [value for _, values in sql for value in values],
    )
    inside = None if filters.folder is None else set(reads.contents_under(filters.folder).tolist())
    listed = [row[1:] for row in rows if inside is None or row[0] in inside]
    return Listing(
        [name for name, *_ in listed],
        [(width, height) for _, width, height, *_ in listed],
        [day for _, _, _, day, _ in listed],
        ["" if day else os.path.basename(from_db(path)) for _, _, _, day, path in listed],
    )


def _order_by(order: Order) -> str:
    if order == "name":
        return "min(f.path), c.id"
    down = "DESC" if order == "newest" else ""
    dated = "CASE WHEN coalesce(c.taken_at, '') = '' THEN NULL ELSE {} END"  # those without a date stay in order of indexing
    ties = ", ".join(f"{dated.format(key)} {down}" for key in ("min(f.key)", "c.id"))
    return f"coalesce(c.taken_at, '') = '', c.taken_at {down}, {ties}, c.id"


def picture(reads: Reads, name: str) -> Picture | None:
    """A picture by its id; None where the library has none with a file."""
    if not ID.fullmatch(name) or ":" in name:
        return None
    low = bytes.fromhex(name)
    rows = reads.db.execute(
        f"""SELECT r.path, f.path, f.size, f.mtime_ns, {FACTS}
            FROM contents c JOIN files f ON f.content_id = c.id JOIN roots r ON r.id = f.root_id
            WHERE c.hash >= ? AND c.hash < ? AND c.kind = 'image' ORDER BY c.hash""",
        (low, low + b"\xff" * 27),
    ).fetchall()
    if not rows:
        return None
    facts = PictureFacts(id=name, **facts_from(rows[0][4:]))
    files = [
        PictureFile(join(from_db(root), from_db(path)), size, facts.width, facts.height, facts.taken_at, name, mtime_ns)
        for root, path, size, mtime_ns, *_ in rows
    ]
    return Picture(facts, tuple(sorted(files, key=lambda file: by_age(file.path, file.mtime_ns))))


def stored_vector(session: Session, name: str) -> np.ndarray | None:
    """The vector (D,) of a picture or text by its id; None where the library has none with a file."""
    if not ID.fullmatch(name):
        return None
    vector = session.store.vector(name, session.space)
    return None if vector is None else np.frombuffer(vector, "<f4")


def digest(reads: Reads, name: str) -> str | None:
    """The SHA-256 of a picture's bytes by its id, in hexadecimal digits; None where the library has none."""
    if not ID.fullmatch(name) or ":" in name:
        return None
    low = bytes.fromhex(name)
    row = reads.db.execute(
        "SELECT lower(hex(hash)) FROM contents WHERE hash >= ? AND hash < ? AND kind = 'image' ORDER BY hash",
        (low, low + b"\xff" * 27),
    ).fetchone()
    return row[0] if row else None


def cameras(reads: Reads) -> dict[str, int]:
    """Pictures by camera, the most used first."""
    rows = reads.db.execute(
        """SELECT camera, count(*) FROM contents WHERE camera IS NOT NULL AND kind = 'image'
           GROUP BY camera ORDER BY count(*) DESC, camera"""
    )
    return dict(rows.fetchall())


def days(reads: Reads) -> tuple[str, str] | None:
    """The first and the last day on which pictures were taken."""
    first, last = reads.db.execute("SELECT min(taken_at), max(taken_at) FROM contents WHERE kind = 'image'").fetchone()
    return None if first is None else (first[:10], last[:10])


def folders(reads: Reads, depth: int = 1) -> dict[str, int]:
    """Picture files at and below each root, and each of its folders down to a depth, by absolute path."""
    counts: dict[str, int] = {}
    rows = reads.db.execute(
        """SELECT r.path, f.path FROM files f JOIN roots r ON r.id = f.root_id
           JOIN contents c ON c.id = f.content_id WHERE c.kind = 'image' ORDER BY r.path, f.path"""
    )
    for stored, below in rows:
        root = from_db(stored)
        parts = from_db(below).split(os.sep)[:-1][:depth]
        for deep in range(len(parts) + 1):
            folder = join(root, os.sep.join(parts[:deep]))
            counts[folder] = counts.get(folder, 0) + 1
    return counts
