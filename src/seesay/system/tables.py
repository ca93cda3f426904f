"""Tables in TSV, CSV, JSON Lines and Parquet: each row a dict by column."""

import csv
import io
import json
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from seesay.errors import InputError, MissingExtra, UnreadableText
from seesay.system.paths import is_url, printable

Row = dict[str, Any]  # column -> value; a string in TSV and CSV
IMAGE_COLUMNS = ("image", "path", "file")  # names of the column that holds a row's picture, in order of preference
TEXT_COLUMNS = ("text", "caption", "texts")  # names of the column that holds a row's text, in order of preference


def read_table(file: Path, columns: Collection[str] = ()) -> list[Row]:
    """Reads a table with a header (`delimited_rows` has the rules of TSV and CSV, where an empty cell is "").

    Raises InputError, also for a row without a value in one of `columns`; MissingExtra.
    """
    reader = READERS.get(file.suffix.lower())
    if reader is None:
        raise InputError(f"{printable(file)}: expected a table that ends in {', '.join(READERS)}")
    try:
        rows = reader(file)
    except (OSError, UnicodeDecodeError, UnreadableText) as error:
        raise InputError(f"{printable(file)} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if not rows:
        raise InputError(f"{printable(file)} has no rows")
    _require(file, rows, columns)
    return rows


def _require(file: Path, rows: Sequence[Row], columns: Collection[str]) -> None:
    for number, row in enumerate(rows, 1):
        if missing := [name for name in columns if row.get(name) is None]:
            got = ", ".join(str(name) for name in row)
            raise InputError(f"{printable(file)}, row {number}: expected a column {missing[0]}, got {got or 'none'}")


def picture_rows(file: Path, columns: Collection[str] = ()) -> list[Row]:
    """`read_table` of rows that have a picture each, as `image`; a table may also call it by another of `IMAGE_COLUMNS`."""
    rows = read_table(file)
    if "image" not in rows[0] and (other := next((name for name in IMAGE_COLUMNS if name in rows[0]), None)):
        rows = [{"image" if name == other else name: value for name, value in row.items()} for row in rows]
    _require(file, rows, ["image", *columns])
    return rows


def picture_of(table: Path, name: str, images: Path | None = None) -> Path | str:
    """Where the picture of a row is: a URL as it stands, or a path in the folder `images` (default: `pictures_folder`)."""
    if is_url(name):
        return name
    return (images or pictures_folder(table)) / name


def pictures_folder(table: Path) -> Path:
    """The folder that a table's paths are relative to: images/ beside the table if there is one, else the table's own."""
    images = table.parent / "images"
    return images if images.is_dir() else table.parent


def delimited_rows(content: str, suffix: str) -> list[tuple[int, list[str]]]:
    """The rows of a .tsv or .csv file that are not empty: (number of the row's last line, from 1; cells).

    Tabs separate as they stand, without quotes, because a lone quote in a caption must not swallow the lines after it. CSV is
    quoted as in RFC 4180; its separator is the semicolon if the first line has some and no comma, as spreadsheets in much of
    Europe write it. Raises UnreadableText with the line.
    """
    first = content.split("\n", 1)[0]
    delimiter = "\t" if suffix == ".tsv" else ";" if ";" in first and "," not in first else ","
    lines = io.StringIO(content, newline="")
    reader = csv.reader(lines, delimiter=delimiter, quoting=csv.QUOTE_NONE if delimiter == "\t" else csv.QUOTE_MINIMAL)
    try:
        return [(reader.line_num, cells) for cells in reader if cells]
    except csv.Error as error:
        raise UnreadableText(f"line {reader.line_num}: {error}") from None


def _delimited(file: Path) -> list[Row]:
    content = file.read_bytes().decode("utf-8-sig")
    header: list[str] | None = None
    rows = []
    for number, cells in delimited_rows(content, file.suffix.lower()):
        if header is None:
            header = cells
        elif len(cells) != len(header):
            raise InputError(
                f"{printable(file)}, line {number}: expected {len(header)} columns as in the header, got {len(cells)}"
            )
        else:
            rows.append(dict(zip(header, cells, strict=True)))
    return rows


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


READERS = {".tsv": _delimited, ".csv": _delimited, ".jsonl": _json_lines, ".parquet": _parquet}
