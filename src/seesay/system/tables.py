"""Tables of pictures with their texts or labels: TSV, CSV, JSON Lines or Parquet, each row a dict."""

import csv
import json
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from seesay.errors import InputError, MissingExtra
from seesay.system.paths import is_url, printable

Row = dict[str, Any]  # by column; strings in TSV and CSV
KINDS = (".tsv", ".csv", ".jsonl", ".parquet")
TEXT_COLUMNS = ("text", "caption", "texts")  # where a row's text is looked for


def read_table(file: Path, columns: Collection[str] = ()) -> list[Row]:
    """The rows of a table with a header, in order, of which each has the `columns`. Raises InputError, MissingExtra.

    Tabs separate as they stand (no quoting); CSV is quoted as RFC 4180 has it. An empty cell is "".
    """
    reader = {".tsv": _tabs, ".csv": _commas, ".jsonl": _json_lines, ".parquet": _parquet}.get(file.suffix.lower())
    if reader is None:
        raise InputError(f"{printable(file)}: expected a table that ends in {', '.join(KINDS)}")
    try:
        rows = reader(file)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{printable(file)} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if not rows:
        raise InputError(f"{printable(file)} has no rows")
    for number, row in enumerate(rows, 1):
        if lacking := [name for name in columns if row.get(name) is None]:
            got = ", ".join(str(name) for name in row)
            raise InputError(f"{printable(file)}, row {number}: expected a column {lacking[0]}, got {got or 'none'}")
    return rows


def picture_of(table: Path, name: str, images: Path | None = None) -> Path | str:
    """The picture that a row names: a URL as it is, a path below `images` (default: `pictures_folder`)."""
    if is_url(name):
        return name
    return (images or pictures_folder(table)) / name


def pictures_folder(table: Path) -> Path:
    """Where a table's paths begin unless somebody says otherwise: the folder images/ beside it, else its own folder."""
    beside = table.parent / "images"
    return beside if beside.is_dir() else table.parent


def _tabs(file: Path) -> list[Row]:
    with file.open(encoding="utf-8-sig", newline="") as stream:
        return _dicts(list(csv.reader(stream, delimiter="\t", quoting=csv.QUOTE_NONE)), file)


def _commas(file: Path) -> list[Row]:
    with file.open(encoding="utf-8-sig", newline="") as stream:
        return _dicts(list(csv.reader(stream)), file)


def _dicts(lines: Sequence[list[str]], file: Path) -> list[Row]:
    if not lines:
        return []
    header, rows = lines[0], [(number, line) for number, line in enumerate(lines[1:], 2) if line]
    for number, line in rows:
        if len(line) != len(header):
            raise InputError(
                f"{printable(file)}, line {number}: expected {len(header)} columns as in the header, got {len(line)}"
            )
    return [dict(zip(header, line, strict=True)) for _, line in rows]


def _json_lines(file: Path) -> list[Row]:
    rows = []
    with file.open(encoding="utf-8-sig") as stream:
        for number, line in enumerate(stream, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except ValueError as error:
                raise InputError(f"{printable(file)}, line {number} is not JSON: {error}") from None
            if not isinstance(row, dict):
                raise InputError(f"{printable(file)}, line {number}: expected an object, got {line[:60].strip()}")
            rows.append(row)
    return rows


def _parquet(file: Path) -> list[Row]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise MissingExtra("reading Parquet", "parquet") from None
    try:
        rows: list[Row] = pyarrow.parquet.read_table(file).to_pylist()
    except pyarrow.ArrowException as error:
        raise InputError(f"{printable(file)} is not a Parquet file: {error}") from None
    return rows
