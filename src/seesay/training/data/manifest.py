"""A source of samples from a table of images and captions."""

import os
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

from seesay.errors import InputError
from seesay.system.paths import printable
from seesay.system.tables import TEXT_COLUMNS, Row, picture_of, read_table
from seesay.training.data.captions import Caption, check_languages, check_weight, parse_captions, weigh_captions
from seesay.training.data.listed_source import ListedConfig, ListedImage, ListedSource


@dataclass(frozen=True, kw_only=True)
class Manifest(ListedConfig):
    """A TSV, CSV, JSON Lines or Parquet table with one row per pair, or per image with a list of captions.

    Columns: the image (a path below `images`, by default below `tables.pictures_folder`; or a URL); the caption, or in `texts`
    a list of strings and of objects {text, lang, weight}; optional are `lang`, `weight` (of drawing the caption), `split`,
    `label`, and `identity` (equal for files that show the same image).

    split: the rows to use; None: all. languages: a weight for each language to use; empty: all, without regard to language.
    texts "draw": an epoch has each image once, with a caption drawn; "all": each pair once. weight: of this source in a
    mixture. augment: false excludes these images from random augmentation.
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

    def open(self, root: Path) -> ListedSource:
        """The source; paths are relative to `root`. Images are not opened. Raises InputError, MissingExtra."""
        table = root / self.path
        rows = self._rows(table)
        folder = root / self.images if self.images else None
        images = [image for name, of_image in rows.items() if (image := self._image(table, name, of_image, folder))]
        if not images:
            raise InputError(f"{printable(table)}: expected texts with a weight above 0, got none in {len(rows)} pictures")
        return ListedSource(printable(table), images, self.texts, augment=self.augment)

    def _rows(self, table: Path) -> "dict[str, _ImageRows]":
        """The table's rows of the split, by image."""
        required = {
            self.image_column,
            *([self.label_column] if self.label_column else []),
            *(["split"] if self.split else []),
        }
        numbered = list(enumerate(read_table(table, sorted(required)), 1))
        if self.split:
            splits = {str(row["split"]) for _, row in numbered}
            numbered = [(number, row) for number, row in numbered if str(row["split"]) == self.split]
            if not numbered:
                raise _absent(table, "split", self.split, splits)
        rows: dict[str, _ImageRows] = {}
        for number, row in numbered:
            of_image = rows.setdefault(str(row[self.image_column]), _ImageRows(row, []))
            of_image.captions.extend(_captions(table, number, row, self.text_column))
        if self.languages:
            present = {caption.lang for of_image in rows.values() for caption in of_image.captions if caption.lang}
            for language in self.languages:
                if language not in present:
                    raise _absent(table, "language", language, present)
        return rows

    def _image(self, table: Path, name: str, rows: "_ImageRows", folder: Path | None) -> ListedImage | None:
        """The image with its captions; None if no caption can be drawn."""
        captions = weigh_captions(rows.captions, self.languages)
        if captions is None:
            return None
        image = picture_of(table, name, folder)
        identity = rows.first.get("identity") or (image if isinstance(image, str) else os.path.abspath(image))
        label = rows.first.get(self.label_column or "label")
        return ListedImage(str(image), str(identity), None if label in (None, "") else str(label), captions)


class _ImageRows(NamedTuple):
    """The first row of an image, and the captions of all its rows."""

    first: Row
    captions: list[Caption]


def _captions(table: Path, number: int, row: Row, column: str | None) -> list[Caption]:
    columns = TEXT_COLUMNS if column is None else (column,)
    value = next((row[name] for name in columns if row.get(name) is not None), None)
    if value is None:
        present, expected = ", ".join(str(name) for name in row), ", ".join(columns)
        raise InputError(f"{printable(table)}, row {number}: expected a column with the text ({expected}), got {present}")
    try:
        return parse_captions(value, row.get("lang"), row.get("weight"))
    except InputError as error:
        raise InputError(f"{printable(table)}, row {number}: {error}") from None


def _absent(table: Path, what: str, name: str, present: Collection[str]) -> InputError:
    got = ", ".join(sorted(present)) or f"no {what}s"
    return InputError(f"{printable(table)}: expected the {what} {name!r}, got {got}. Name one of those")
