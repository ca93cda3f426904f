"""`Candidate`: a row of a Parquet file of `seesay embed` that a library may take, its vector and facts verified."""

import hashlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from seesay.errors import InputError
from seesay.images.phash import WAVES
from seesay.library.embedding.table import Origin, arrow, read_tables
from seesay.library.indexing.report import Failure
from seesay.system.paths import below, is_url, join, printable

UNIT = 1e-3  # by which the length of a vector may differ from 1
FACTS = (
    "path", "raw_path", "text", "line", "hash", "size", "mtime_ns", "width", "height", "taken_at", "camera", "latitude",
    "longitude", "waves", "recolored",
)  # fmt: skip


class Candidate(NamedTuple):
    """A row: facts by column, an absolute path, and its vector, D little-endian float32 numbers."""

    facts: dict[str, Any]
    path: str
    vector: bytes


class Candidates(NamedTuple):
    """A part of a file. failed: rows that cannot be used. outside: how many are of no folder. read: how many there were."""

    rows: list[Candidate]
    failed: list[Failure]
    outside: int
    read: int


def count_rows(file: Path) -> int:
    """The rows of a Parquet file."""
    return int(arrow().parquet.read_metadata(file).num_rows)


def candidates(file: Path, origin: Origin, root: str | None, roots: Sequence[str]) -> Iterator[Candidates]:
    """The rows of a file in parts. roots: the inputs' folders when it was made; root: where the only one of them is now.

    Raises InputError where it is damaged.
    """
    for table in read_tables(file):
        column = table.column("vector").combine_chunks()
        if column.null_count or len(column.flatten()) != len(column) * origin.dim:
            raise InputError(f"{printable(file)} is damaged: it has rows without a vector")
        vectors = column.flatten().to_numpy(zero_copy_only=False).astype("<f4").reshape(-1, origin.dim)
        lengths = np.linalg.norm(vectors.astype(np.float64), axis=1)
        part, outside = Candidates([], [], 0, table.num_rows), 0
        for facts, vector, length in zip(table.select(FACTS).to_pylist(), vectors, lengths.tolist(), strict=True):
            path = _place(facts, origin, root, roots)
            if path is None:
                outside += 1
            elif (fault := _fault(facts, length)) is not None:
                part.failed.append(Failure(path, fault))
            else:
                part.rows.append(Candidate(facts, path, vector.tobytes()))
        yield part._replace(outside=outside)


def _place(facts: dict[str, Any], origin: Origin, root: str | None, roots: Sequence[str]) -> str | None:
    """The absolute path of a row's file now; None where it lies in none of the inputs' folders."""
    named = os.fsdecode(facts["raw_path"]) if facts["raw_path"] is not None else facts["path"]
    if named is None or is_url(named):
        return None
    path = os.path.normpath(os.path.join(origin.folder, named))
    inside = next((each for each in roots if below(path, each) is not None), None)
    if inside is None:
        return None
    return path if root is None else join(root, below(path, inside) or "")


def _fault(facts: dict[str, Any], length: float) -> str | None:
    """Why a row cannot be used, if so."""
    if not np.isfinite(length):
        return "its vector has numbers that are not finite"
    if abs(length - 1) > UNIT:
        return f"its vector has the length {length:.4g} instead of 1"
    if facts["text"] is not None:
        return None if facts["line"] is not None else "its text has no line"
    sizes = [len(facts[name] or b"") for name in ("hash", "waves")]
    if sizes != [hashlib.sha256().digest_size, 4 * WAVES**2] or None in (facts["width"], facts["height"]):
        return "the facts of the picture are missing or damaged"
    return None
