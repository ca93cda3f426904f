"""Rows of vectors as Arrow tables: the columns of the Parquet files that `seesay embed` writes and a library takes."""

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from seesay.errors import InputError, MissingExtra
from seesay.images.decoding.formats import READER
from seesay.library.embedding.encode import Row
from seesay.library.embedding.item import item_key
from seesay.model import Model
from seesay.system.paths import printable

FORMAT = "1"
READ_ROWS = 1024  # at once
GROUP_ROWS = 8192  # of a finished file: 17 MB with 512 dimensions


@dataclass(frozen=True)
class Origin:
    """What a file's vectors are of, stored in the metadata of its schema.

    reader: the version of the picture reader. folder: where relative paths begin. roots: absolute paths of the inputs.
    """

    space_id: str
    build_id: str
    model: str
    dim: int
    reader: int = READER
    folder: str = ""
    roots: tuple[str, ...] = ()

    @staticmethod
    def of(model: Model, roots: Sequence[str] = ()) -> "Origin":
        """That of vectors which a model makes here and now."""
        return Origin(model.space_id, model.build_id, model.name, model.dim, folder=os.getcwd(), roots=tuple(roots))

    def same_make(self, other: "Origin") -> bool:
        """Whether vectors and facts of both are equal for equal pictures."""
        return (self.space_id, self.build_id, self.dim, self.reader) == (
            other.space_id,
            other.build_id,
            other.dim,
            other.reader,
        )


def arrow() -> Any:
    """The library pyarrow with its Parquet reader. Raises MissingExtra."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise MissingExtra("writing Parquet", "parquet") from None
    return pyarrow


def schema(origin: Origin) -> Any:
    """The columns, with the origin as metadata.

    path, text, line, vector: as in every format of `seesay embed`. raw_path: the bytes of a path that is not UTF-8, else null.
    size, mtime_ns: of the file when it was read; hash: SHA-256 of its bytes. The rest are a picture's facts, as a library keeps
    them; waves: 64 float32, its perceptual hash before rounding.
    """
    pa = arrow()
    fields = [
        ("path", pa.string()),
        ("text", pa.string()),
        ("line", pa.int64()),
        ("vector", pa.list_(pa.float32(), origin.dim)),
        ("raw_path", pa.binary()),
        ("hash", pa.binary()),
        ("size", pa.int64()),
        ("mtime_ns", pa.int64()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("taken_at", pa.string()),
        ("camera", pa.string()),
        ("latitude", pa.float64()),
        ("longitude", pa.float64()),
        ("waves", pa.binary()),
        ("recolored", pa.bool_()),
    ]
    facts = {
        "seesay_vectors": FORMAT,
        "space_id": origin.space_id,
        "build_id": origin.build_id,
        "model": origin.model,
        "reader": str(origin.reader),
        "folder": json.dumps(origin.folder),
        "roots": json.dumps(origin.roots),
    }
    return pa.schema(fields, metadata=facts)


def read_origin(file: Path) -> Origin:
    """What the vectors of a Parquet file are of. Raises InputError for a file that `seesay embed` did not write."""
    pa = arrow()
    shown = printable(file)
    try:
        found = pa.parquet.read_schema(file)
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{shown} is not a Parquet file that can be read: {error}") from None
    facts = {name.decode(): value.decode() for name, value in (found.metadata or {}).items()}
    if facts.get("seesay_vectors") != FORMAT:
        raise InputError(f"{shown}: expected a Parquet file as this version of seesay embed writes it; make it again with that")
    try:
        kind = found.field("vector").type
        origin = Origin(
            facts["space_id"],
            facts["build_id"],
            facts["model"],
            kind.list_size,
            int(facts["reader"]),
            str(json.loads(facts["folder"])),
            tuple(map(str, json.loads(facts["roots"]))),
        )
        if found.types != schema(origin).types or found.names != schema(origin).names:
            raise ValueError("other columns")
    except (KeyError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(f"{shown}: its columns are not those that seesay embed writes ({error})") from None
    return origin


def to_table(rows: Sequence[Row], origin: Origin) -> Any:
    """Rows as a table."""
    pa = arrow()
    paths = [row.item.path for row in rows]
    facts = [row.facts for row in rows]
    about = [None if each is None else each.metadata for each in facts]
    vectors = np.stack([row.vector for row in rows]) if rows else np.empty((0, origin.dim), dtype=np.float32)
    flat = pa.array(np.ascontiguousarray(vectors, dtype="<f4").reshape(-1), type=pa.float32())
    names = [path and path.encode("utf-8", "backslashreplace").decode() for path in paths]
    columns = {
        "path": names,
        "text": [row.item.text for row in rows],
        "line": [row.item.line for row in rows],
        "vector": pa.FixedSizeListArray.from_arrays(flat, origin.dim),
        "raw_path": [None if path == name else os.fsencode(path or "") for path, name in zip(paths, names, strict=True)],
        "hash": [row.digest for row in rows],
        "size": [row.item.size for row in rows],
        "mtime_ns": [row.item.mtime_ns for row in rows],
        "width": [None if each is None else each.width for each in facts],
        "height": [None if each is None else each.height for each in facts],
        "taken_at": [None if each is None else each.taken_at for each in about],
        "camera": [None if each is None else each.camera for each in about],
        "latitude": [None if each is None else each.latitude for each in about],
        "longitude": [None if each is None else each.longitude for each in about],
        "waves": [None if each is None else each.waves for each in facts],
        "recolored": [None if each is None else each.recolored for each in facts],
    }
    form = schema(origin)
    arrays = [columns[name] if name == "vector" else pa.array(columns[name], type=form.field(name).type) for name in form.names]
    return pa.Table.from_arrays(arrays, schema=form)


def keys(table: Any) -> list[bytes]:
    """The `item_key` of each row of a table."""
    columns = [table.column(name).to_pylist() for name in ("path", "raw_path", "line", "text", "size", "mtime_ns")]
    return [
        item_key(path if raw is None else os.fsdecode(raw), line, text, size, mtime_ns)
        for path, raw, line, text, size, mtime_ns in zip(*columns, strict=True)
    ]


def read_tables(file: Path, columns: Sequence[str] | None = None) -> Iterator[Any]:
    """The rows of a Parquet file as tables of at most READ_ROWS. Raises InputError."""
    pa = arrow()
    try:
        with pa.parquet.ParquetFile(file) as opened:
            for batch in opened.iter_batches(READ_ROWS, columns=columns, use_threads=False):
                yield pa.Table.from_batches([batch])
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{printable(file)} is damaged: {error}") from None


def parquet_writer(file: Path, origin: Origin) -> Any:
    """A writer of tables; vectors do not repeat, so nothing is looked up in dictionaries."""
    return arrow().parquet.ParquetWriter(file, schema(origin), compression="zstd", use_dictionary=False)
