"""Pairs of a collection as they lie there, good or bad: of a table, or of tar shards."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from seesay.errors import InputError
from seesay.system.paths import is_url, printable
from seesay.system.tables import TEXT_COLUMNS, Row, picture_of, read_table
from seesay.training.curation.tables import present_columns
from seesay.training.data.captions import parse_captions
from seesay.training.data.samples import Sample, SampleFault
from seesay.training.data.shards import Shards

IMAGE_COLUMNS = ("image", "filepath", "path", "file", "url")  # in order of preference, in any case


def read_pairs(sources: Sequence[str], images: Path | None = None) -> Iterator[Sample | SampleFault]:
    """Every pair of tables (.tsv, .csv, .jsonl, .parquet) and of tar shards (patterns as in a recipe), and what is none.

    A training run refuses a table with a row that it cannot use; here such a row is a fault, and the next one follows. images:
    the folder of a table's pictures. Raises InputError, MissingExtra.
    """
    tables = [Path(source) for source in sources if not source.endswith((".tar", ".tar.gz", ".tgz"))]
    shards = tuple(source for source in sources if source.endswith((".tar", ".tar.gz", ".tgz")))
    for table in tables:
        yield from _table_pairs(table, images)
    if shards:
        yield from Shards(shards=shards).open(Path()).once()


def _table_pairs(table: Path, images: Path | None) -> Iterator[Sample | SampleFault]:
    rows = read_table(table)
    names = list(rows[0])
    image_column, text_columns = _column(table, names, IMAGE_COLUMNS, "picture"), present_columns(names, TEXT_COLUMNS)
    if not text_columns:
        raise InputError(
            f"{printable(table)}: expected a column with the text ({', '.join(TEXT_COLUMNS)}), got {', '.join(names)}"
        )
    for number, row in enumerate(rows, 1):
        yield from _row_pairs(table, number, row, image_column, text_columns, images)


def _row_pairs(
    table: Path, number: int, row: Row, image_column: str, text_columns: Sequence[str], images: Path | None
) -> Iterator[Sample | SampleFault]:
    place = f"{printable(table)}, row {number}"
    name = row.get(image_column)
    if not isinstance(name, str) or not name:
        yield SampleFault(place, "has no picture")
        return
    text = next((row[column] for column in text_columns if row.get(column) is not None), None)
    try:
        captions = parse_captions(text, row.get("lang"), None)
    except InputError:
        yield SampleFault(place, "has no text")
        return
    picture = picture_of(table, name, images)
    shown = name if is_url(name) else printable(str(picture))
    for caption in captions:
        yield Sample(picture, caption.text, str(picture), None, shown)


def _column(table: Path, names: Sequence[str], wanted: Sequence[str], what: str) -> str:
    if present := present_columns(names, wanted):
        return present[0]
    raise InputError(f"{printable(table)}: expected a column with the {what} ({', '.join(wanted)}), got {', '.join(names)}")
