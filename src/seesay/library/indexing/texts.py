"""Parses lists of texts: one text per line of a .txt, one per row of a .tsv or .csv."""

import csv

from seesay.errors import UnreadableText
from seesay.system.tables import delimited_rows

COLUMNS = ("text", "caption", "title", "description", "sentence", "label", "name")
MAX_TEXTS = 5_000_000


def parse_texts(data: bytes, name: str) -> list[tuple[int, str]]:
    """A file's bytes -> [(line, text), ...], empty ones left out; lines count from 1.

    A table's texts are in the first column whose heading is one of COLUMNS; a table without such a heading must have a single
    column, which is then all texts. Raises UnreadableText, whose message is the reason alone.
    """
    try:
        content = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnreadableText(f"is not UTF-8 text (byte {error.start}); save it as UTF-8") from None
    if "\0" in content:
        raise UnreadableText("holds zero bytes; it is not a list of texts")
    if name.lower().endswith(".txt"):
        rows = [(i, line) for i, line in enumerate(content.splitlines(), start=1)]
    else:
        rows = _table(content, ".tsv" if name.lower().endswith(".tsv") else ".csv")
    texts = [(line, text.strip()) for line, text in rows if text.strip()]
    if not texts:
        raise UnreadableText("holds no texts")
    if len(texts) > MAX_TEXTS:
        raise UnreadableText(f"holds {len(texts)} texts; at most {MAX_TEXTS} are read. Split the file")
    return texts


def _table(content: str, suffix: str) -> list[tuple[int, str]]:
    try:
        rows = delimited_rows(content, suffix)
    except csv.Error as error:
        raise UnreadableText(str(error)) from None
    if not rows:
        return []
    heading = [cell.strip().lower() for cell in rows[0][1]]
    column = next((heading.index(known) for known in COLUMNS if known in heading), None)
    if column is not None:
        return [(line, row[column]) for line, row in rows[1:] if len(row) > column]
    if len(heading) == 1:
        return [(line, row[0]) for line, row in rows]
    raise UnreadableText(
        f"has {len(heading)} columns and none is called {', '.join(COLUMNS)}; name the column of texts in the first line"
    )
