"""Reads what `seesay embed` writes (.npz, .jsonl, .parquet) in blocks of rows, so that files may be larger than memory."""

import glob
import json
import zipfile
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np

from seesay.errors import InputError, MissingExtra
from seesay.system.files import DAMAGE
from seesay.system.paths import printable

BLOCK = 4096  # rows
COLUMNS = ("path", "text", "vector")


class EmbeddingBlock(NamedTuple):
    """Rows of a file. paths, texts (N,): None or "" where a row has none; vectors (N, D) float32; space: id of their space, ""
    where the file does not say it."""

    paths: Sequence[str | None]
    texts: Sequence[str | None]
    vectors: np.ndarray
    space: str


def embedding_files(root: Path, patterns: Sequence[str], where: str) -> list[Path]:
    """The files that names and patterns with * mean, relative to `root`, each once. where: key of the recipe, for messages.

    Raises InputError.
    """
    files: dict[Path, None] = {}
    for pattern in patterns:
        found = [root / pattern]
        if glob.has_magic(pattern):
            found = sorted(root / name for name in glob.glob(pattern, root_dir=root))
        if not found or not all(file.is_file() for file in found):
            raise InputError(
                f"{where}: expected a file {printable(root / pattern)}, there is none; "
                "paths begin at the recipe's folder or `root`"
            )
        files |= dict.fromkeys(found)
    for file in files:
        if file.suffix.lower() not in READERS:
            raise InputError(f"{where}: expected files that end in {', '.join(READERS)}, got {printable(file.name)}")
    return list(files)


def embedding_blocks(file: Path) -> Iterator[EmbeddingBlock]:
    """A file's rows, in order. Raises InputError, MissingExtra."""
    try:
        yield from READERS[file.suffix.lower()](file)
    except DAMAGE as error:
        raise InputError(
            f"{printable(file)} cannot be read ({error}); expected the columns path, text and vector, as seesay embed writes it"
        ) from None


def _npz(file: Path) -> Iterator[EmbeddingBlock]:
    with file.open("rb") as stream, zipfile.ZipFile(stream) as archive:
        names = set(archive.namelist())
        space = str(_whole(archive, "space_id")) if "space_id.npy" in names else ""
        with archive.open("vectors.npy") as vectors, archive.open("path.npy") as paths, archive.open("text.npy") as texts:
            columns = [_array_blocks(member) for member in (vectors, paths, texts)]
            for values, path, text in zip(*columns, strict=True):
                yield _block(path.tolist(), text.tolist(), values, space)


def _whole(archive: zipfile.ZipFile, name: str) -> np.ndarray:
    with archive.open(f"{name}.npy") as member:
        array: np.ndarray = np.lib.format.read_array(member, allow_pickle=False)
        return array


def _array_blocks(member: IO[bytes]) -> Iterator[np.ndarray]:
    """The rows of a .npy stream, in blocks. Raises ValueError."""
    version = np.lib.format.read_magic(member)
    headers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    if version not in headers:
        raise ValueError(f"an array in version {version} of the format")
    shape, by_column, dtype = headers[version](member)
    if dtype.hasobject or by_column or not shape or not dtype.itemsize:
        raise ValueError(f"an array of {dtype} {shape}")
    for start in range(0, shape[0], BLOCK):
        part = (min(BLOCK, shape[0] - start), *shape[1:])
        size = int(np.prod(part)) * dtype.itemsize
        data = member.read(size)
        if len(data) != size:
            raise ValueError("it ends too early")
        yield np.frombuffer(data, dtype).reshape(part)


def _jsonl(file: Path) -> Iterator[EmbeddingBlock]:
    with file.open(encoding="utf-8", errors="surrogatepass") as stream:
        first = 1
        while lines := list(islice(stream, BLOCK)):
            rows = [_json_row(line, number) for number, line in enumerate(lines, first) if line.strip()]
            first += len(lines)
            if spaces := {str(row.get("space_id") or "") for row in rows}:
                if len(spaces) > 1:
                    raise ValueError(f"its vectors are of {len(spaces)} spaces")
                if len({len(row["vector"]) for row in rows}) > 1:
                    raise ValueError("its vectors have different dimensions")
                vectors = np.array([row["vector"] for row in rows], dtype=np.float32)
                paths, texts = ([row.get(name) for row in rows] for name in ("path", "text"))
                yield _block(paths, texts, vectors, spaces.pop())


def _json_row(line: str, number: int) -> dict[str, Any]:
    row = json.loads(line)
    if not isinstance(row, dict) or not isinstance(row.get("vector"), list):
        raise ValueError(f"line {number} is no object with a vector")
    return row


def _parquet(file: Path) -> Iterator[EmbeddingBlock]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise MissingExtra("reading Parquet", "parquet") from None
    try:
        # pyarrow would read ahead, and keep whole groups of rows.
        with pyarrow.parquet.ParquetFile(file, pre_buffer=False) as table:
            names = table.schema_arrow.names
            if missing := [name for name in COLUMNS if name not in names]:
                raise ValueError(f"there is no column {missing[0]}")
            space = (table.schema_arrow.metadata or {}).get(b"space_id", b"").decode()
            for group in range(table.num_row_groups):
                for batch in table.iter_batches(BLOCK, row_groups=[group], columns=list(COLUMNS), use_threads=False):
                    yield _parquet_block(batch, space)
    except pyarrow.ArrowException as error:
        raise ValueError(str(error)) from None


def _parquet_block(batch: Any, space: str) -> EmbeddingBlock:
    paths, texts, vectors = (batch.column(name) for name in COLUMNS)
    flat = vectors.flatten().to_numpy(zero_copy_only=False).astype(np.float32, copy=False)
    if vectors.null_count or not len(vectors) or len(flat) % len(vectors):
        raise ValueError("some vectors are missing or have other dimensions")
    return _block(paths.to_pylist(), texts.to_pylist(), flat.reshape(len(vectors), -1), space)


def _block(paths: Sequence[Any], texts: Sequence[Any], vectors: np.ndarray, space: str) -> EmbeddingBlock:
    if vectors.ndim != 2 or vectors.dtype.kind != "f" or not len(paths) == len(texts) == len(vectors):
        raise ValueError(f"its vectors are {vectors.dtype} {vectors.shape} for {len(texts)} rows")
    if bad := [value for value in (*paths, *texts) if value is not None and not isinstance(value, str)]:
        raise ValueError(f"a path or text is {bad[0]!r}")
    return EmbeddingBlock(paths, texts, np.ascontiguousarray(vectors, dtype=np.float32), space)


READERS: dict[str, Callable[[Path], Iterator[EmbeddingBlock]]] = {".npz": _npz, ".jsonl": _jsonl, ".parquet": _parquet}
