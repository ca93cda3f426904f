"""Tables of captions too large for memory: read in parts, written row by row. Parquet, TSV, CSV and JSON Lines."""

import csv
import glob
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import ModuleType
from typing import Any

from seesay.errors import InputError, MissingExtra
from seesay.system.files import atomic_write
from seesay.system.paths import printable
from seesay.system.tables import TEXT_COLUMNS

BATCH_ROWS = 16_384  # read at once
SUFFIXES = (".parquet", ".tsv", ".csv", ".jsonl")
LONGEST_CELL = 1 << 24  # characters; Python's csv refuses those above 128 KB by default


@dataclass(frozen=True)
class Part:
    """A part of a table that one process reads: a row group of a Parquet file, or a whole file of another kind. rows: where
    the file says how many."""

    file: Path
    group: int | None
    rows: int | None


def arrow() -> ModuleType:
    """The library pyarrow with its Parquet reader. Raises MissingExtra."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise MissingExtra("reading large tables", "data") from None
    return pyarrow  # type: ignore[no-any-return]


def find_tables(names: Sequence[str]) -> tuple[Path, ...]:
    """The files of names and patterns (*), those of each pattern in alphabetical order. Raises InputError."""
    files: list[Path] = []
    for name in names:
        found = [Path(name)] if Path(name).is_file() else [Path(each) for each in sorted(glob.glob(name))]
        if not found:
            raise InputError(f"no file is called {printable(name)}")
        files.extend(found)
    if wrong := [file for file in files if file.suffix.lower() not in SUFFIXES]:
        raise InputError(f"{printable(wrong[0])}: expected a table that ends in {', '.join(SUFFIXES)}")
    return tuple(dict.fromkeys(files))


def parts(files: Sequence[Path]) -> list[Part]:
    """The parts of files, in order. Raises InputError, MissingExtra."""
    found: list[Part] = []
    for file in files:
        if file.suffix.lower() != ".parquet":
            found.append(Part(file, None, None))
            continue
        metadata = _parquet_file(file).metadata
        groups = range(metadata.num_row_groups)
        found.extend(Part(file, group, metadata.row_group(group).num_rows) for group in groups)
    return found


def column_names(file: Path) -> list[str]:
    """The names of a table's columns. Raises InputError."""
    if file.suffix.lower() == ".parquet":
        return list(_parquet_file(file).schema_arrow.names)
    batch = next(read_part(Part(file, None, None)), None)
    return [] if batch is None else list(batch.schema.names)


def present_columns(names: Sequence[str], wanted: Sequence[str]) -> list[str]:
    """Those of the wanted columns (in lower case) that there are, in any case, in the order in which they are wanted."""
    lower = {name.lower(): name for name in reversed(names)}
    return [lower[name] for name in wanted if name in lower]


def text_column(file: Path, wanted: str | None = None) -> str:
    """The column of the captions: the wanted one, or the first of the usual names, in any case. Raises InputError."""
    names = column_names(file)
    if wanted is None:
        if found := present_columns(names, TEXT_COLUMNS):
            return found[0]
        expected = f"a column {', '.join(TEXT_COLUMNS)}"
    elif wanted in names:
        return wanted
    else:
        expected = f"a column {wanted!r}"
    raise InputError(
        f"{printable(file)}: expected {expected}, got {', '.join(names) or 'none'}. Name the column of the captions"
    )


def read_part(part: Part) -> Iterator[Any]:
    """The rows of a part as pyarrow's record batches of at most BATCH_ROWS. Raises InputError, MissingExtra."""
    match part.file.suffix.lower():
        case ".parquet":
            pyarrow = arrow()
            try:
                yield from _parquet_file(part.file).iter_batches(BATCH_ROWS, row_groups=[part.group])
            except (pyarrow.ArrowException, OSError) as error:
                raise InputError(f"{printable(part.file)} is damaged: {error}") from None
        case ".jsonl":
            yield from _batches(_objects(part.file))
        case suffix:
            yield from _batches(_delimited(part.file, tabs=suffix == ".tsv"))


def captions(batch: Any, column: str) -> list[str | None]:
    """The captions of a record batch; None where a row has none. Raises InputError for a column of something else."""
    values: list[Any] = batch.column(column).to_pylist()
    if wrong := next((value for value in values if value is not None and not isinstance(value, str)), None):
        raise InputError(f"column {column!r}: expected texts, got {type(wrong).__name__}")
    return values


def check_output(file: Path) -> None:
    """Raises InputError for a file that cannot be written as a table, before the work."""
    if file.suffix.lower() not in SUFFIXES:
        raise InputError(f"{printable(file)}: expected a name that ends in {', '.join(SUFFIXES)}")
    if file.is_dir():
        raise InputError(f"{printable(file)} is a folder; name a file to write")


@contextmanager
def table_writer(file: Path) -> Iterator["TableWriter"]:
    """A table to write, which appears under its name when the block has ended. Raises InputError, MissingExtra, OSError."""
    check_output(file)
    with atomic_write(file, durable=True) as draft:
        writer = TableWriter(file, draft)
        try:
            yield writer
        finally:
            writer.close()


class TableWriter:
    """Writes record batches, all with the columns of the first."""

    def __init__(self, file: Path, draft: Path) -> None:
        self._pyarrow, self._suffix, self._name = arrow(), file.suffix.lower(), printable(file)
        self._draft = draft
        self._schema: Any = None
        self._parquet: Any = None
        self._stream: Any = None
        self._rows: Any = None
        if self._suffix != ".parquet":
            self._stream = draft.open("w", encoding="utf-8", newline="")

    def write(self, batch: Any) -> None:
        """Writes the rows of a batch. Raises InputError where its columns are others than those before."""
        if self._schema is None:
            self._begin(batch.schema)
        elif batch.schema.names != self._schema.names:
            raise InputError(
                f"{self._name}: expected tables with the same columns, {', '.join(self._schema.names)}, "
                f"got {', '.join(batch.schema.names)}"
            )
        if self._parquet is not None:
            table = self._pyarrow.Table.from_batches([batch])
            self._parquet.write_table(table if table.schema.equals(self._schema) else self._cast(table))
        elif self._suffix == ".jsonl":
            self._stream.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in batch.to_pylist())
        else:
            self._rows.writerows([_cell(value, self._suffix) for value in row.values()] for row in batch.to_pylist())

    def _begin(self, schema: Any) -> None:
        self._schema = schema
        if self._suffix == ".parquet":
            self._parquet = self._pyarrow.parquet.ParquetWriter(self._draft, schema, compression="zstd")
        elif self._suffix != ".jsonl":
            if self._suffix == ".tsv":
                self._rows = csv.writer(
                    self._stream, delimiter="\t", quoting=csv.QUOTE_NONE, quotechar=None, lineterminator="\n"
                )
            else:
                self._rows = csv.writer(self._stream, lineterminator="\n")
            self._rows.writerow(schema.names)

    def _cast(self, table: Any) -> Any:
        try:
            return table.cast(self._schema)
        except self._pyarrow.ArrowException as error:
            raise InputError(f"{self._name}: the tables' columns are of different kinds: {error}") from None

    def close(self) -> None:
        """Ends the file; without rows it is an empty table without columns."""
        if self._suffix == ".parquet" and self._parquet is None:
            self._begin(self._pyarrow.schema([]))
        for stream in (self._parquet, self._stream):
            if stream is not None:
                stream.close()


def _cell(value: Any, suffix: str) -> str:
    text = "" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text.translate({9: " ", 10: " ", 13: " "}) if suffix == ".tsv" else text


def _parquet_file(file: Path) -> Any:
    pyarrow = arrow()
    try:
        return pyarrow.parquet.ParquetFile(file)
    except (pyarrow.ArrowException, OSError) as error:
        raise InputError(f"{printable(file)} is not a Parquet file: {error}") from None


def _batches(rows: Iterator[dict[str, Any]]) -> Iterator[Any]:
    pyarrow = arrow()
    while chunk := list(islice(rows, BATCH_ROWS)):
        yield pyarrow.RecordBatch.from_pylist(chunk)


def _delimited(file: Path, *, tabs: bool) -> Iterator[dict[str, Any]]:
    """Rows by column, as `system.tables` reads them but one at a time: tabs separate without quotes, commas with."""
    csv.field_size_limit(LONGEST_CELL)
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.reader(stream, delimiter="\t", quoting=csv.QUOTE_NONE) if tabs else csv.reader(stream)
            header = next(reader, [])
            for cells in reader:
                if cells and len(cells) != len(header):
                    raise InputError(
                        f"{printable(file)}, line {reader.line_num}: expected {len(header)} columns as in the header, "
                        f"got {len(cells)}"
                    )
                if cells:
                    yield dict(zip(header, cells, strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{printable(file)} cannot be read: {getattr(error, 'strerror', None) or error}") from None


def _objects(file: Path) -> Iterator[dict[str, Any]]:
    with file.open("rb") as stream:
        for number, line in enumerate(stream, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line.decode("utf-8-sig"))
            except ValueError as error:  # UnicodeDecodeError is one
                raise InputError(f"{printable(file)}, line {number} is not JSON: {error}") from None
            if not isinstance(row, dict):
                raise InputError(
                    f"{printable(file)}, line {number}: expected an object, got {line[:60].decode(errors='replace').strip()}"
                )
            yield row
