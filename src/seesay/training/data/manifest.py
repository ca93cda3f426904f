"""A table of pictures and texts as a source of samples."""

import os
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from seesay.errors import InputError
from seesay.system.paths import printable
from seesay.system.tables import TEXT_COLUMNS, Row, picture_of, read_table
from seesay.training.data.listing import Entry, Listing
from seesay.training.data.texts import Text, check_languages, check_weight, read_texts, texts_to_draw


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """A TSV, CSV, JSON Lines or Parquet table with one row per pair, or per picture with a list of texts.

    Columns: the picture (a path below `images`, else below `tables.pictures_folder`; or a URL); the text, or in `texts` a list
    of strings and of objects {text, lang, weight}; where present, `lang`, `weight` (how likely a text is drawn), `split`,
    `label`, and `identity` (equal for files that show the same picture).

    split: the rows to take; none: all. languages: a weight for each language to take; empty: any, not looked at.
    texts "draw": a pass holds each picture once, with one text drawn; "all": each pair once. weight: of this source in a mix.
    augment: false leaves these pictures as they are.
    """

    path: str
    kind: Literal["manifest"] = "manifest"
    images: str | None = None
    split: str | None = None
    languages: dict[str, float] = field(default_factory=dict)
    texts: Literal["draw", "all"] = "draw"
    weight: float = 1.0
    image_column: str = "image"
    text_column: str | None = None
    label_column: str | None = None
    augment: bool = True

    def __post_init__(self) -> None:
        check_languages(self.languages)
        check_weight(self.weight)


def open_manifest(config: Manifest, root: Path) -> Listing:
    """Paths are relative to `root`. Raises InputError, MissingExtra; that pictures exist is seen when they are read."""
    table = root / config.path
    named = {config.image_column, *([config.label_column] if config.label_column else []), *(["split"] if config.split else [])}
    rows = list(enumerate(read_table(table, sorted(named)), 1))
    if config.split:
        among = {str(row["split"]) for _, row in rows}
        rows = [(number, row) for number, row in rows if str(row["split"]) == config.split]
        if not rows:
            raise _absent(table, "split", config.split, among)
    pictures: dict[str, tuple[Row, list[Text]]] = {}
    for number, row in rows:
        _, texts = pictures.setdefault(str(row[config.image_column]), (row, []))
        texts += _texts(table, number, row, config.text_column)
    if config.languages:
        among = {text.lang for _, texts in pictures.values() for text in texts if text.lang}
        for language in config.languages:
            if language not in among:
                raise _absent(table, "language", language, among)
    folder = root / config.images if config.images else None
    entries = []
    for name, (row, texts) in pictures.items():
        if kept := texts_to_draw(texts, config.languages):
            image = picture_of(table, name, folder)
            identity = row.get("identity") or (image if isinstance(image, str) else os.path.abspath(image))
            label = row.get(config.label_column or "label")
            entries.append(Entry(str(image), str(identity), None if label in (None, "") else str(label), kept))
    if not entries:
        raise InputError(f"{printable(table)}: expected texts with a weight above 0, got none in {len(pictures)} pictures")
    return Listing(printable(table), entries, config.texts, augment=config.augment)


def _texts(table: Path, number: int, row: Row, column: str | None) -> list[Text]:
    columns = TEXT_COLUMNS if column is None else (column,)
    value = next((row[name] for name in columns if row.get(name) is not None), None)
    if value is None:
        got, named = ", ".join(str(name) for name in row), ", ".join(columns)
        raise InputError(f"{printable(table)}, row {number}: expected a column with the text ({named}), got {got}")
    try:
        return read_texts(value, row.get("lang"), row.get("weight"))
    except InputError as error:
        raise InputError(f"{printable(table)}, row {number}: {error}") from None


def _absent(table: Path, what: str, name: str, among: Collection[str]) -> InputError:
    got = ", ".join(sorted(among)) or f"no {what}s"
    return InputError(f"{printable(table)}: expected the {what} {name!r}, got {got}. Name one of those")
