"""Datasets: tables of pictures with captions or labels, as arrays that scores are computed from."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from seesay.errors import InputError
from seesay.evaluation.class_names import classes_of_file, classes_of_labels, listed
from seesay.system.paths import printable
from seesay.system.tables import TEXT_COLUMNS, Row, picture_of, picture_rows

DEFAULT_LANGUAGE = "en"


@dataclass(frozen=True)
class Captions:
    """Pictures and the texts that describe them. notes: choices that were made where the table left one."""

    images: tuple[Path | str, ...]  # files, or URLs
    texts: tuple[str, ...]
    owner: np.ndarray  # (T,) int64: the number of each text's picture
    language: str | None = None
    split: str | None = None
    notes: tuple[str, ...] = ()

    def only(self, numbers: np.ndarray) -> "Captions":
        """The pictures of these numbers (K,), renumbered in this order, with their texts."""
        number = np.full(len(self.images), -1, dtype=np.int64)
        number[numbers] = np.arange(len(numbers))
        owner = number[self.owner]
        texts = tuple(text for text, of in zip(self.texts, owner, strict=True) if of >= 0)
        return replace(self, images=tuple(self.images[i] for i in numbers), texts=texts, owner=owner[owner >= 0])


@dataclass(frozen=True)
class Labels:
    """Pictures and the class of each. Every name is a candidate, also that of a class without pictures."""

    images: tuple[Path | str, ...]
    labels: np.ndarray  # (N,) int64, numbers of `names`
    names: tuple[str, ...]
    split: str | None = None
    notes: tuple[str, ...] = ()

    def only(self, numbers: np.ndarray) -> "Labels":
        """The pictures of these numbers (K,), in this order, with all names."""
        return replace(self, images=tuple(self.images[i] for i in numbers), labels=self.labels[numbers])


def read_captions(
    table: Path,
    images: Path | None = None,
    *,
    language: str | None = None,
    split: str | None = None,
    option: str = "--lang ",
) -> Captions:
    """Reads a table with the columns image and text (or caption; `texts`, a list, in JSON Lines), optionally lang and split.

    Without `language`, English is used where there is any, else the table's first language; a note then lists the others, each
    behind `option`, which is how the caller can be given a language. Raises InputError.
    """
    rows = picture_rows(table)
    column = next((name for name in TEXT_COLUMNS if name in rows[0]), None)
    if column is None:
        raise InputError(f"{printable(table)}: expected a column text or caption, got {', '.join(map(str, rows[0]))}")
    notes: list[str] = []
    rows = in_split(rows, split, table, notes)
    rows, language = in_language(rows, language, table, notes, option)
    numbers: dict[str, int] = {}
    texts: list[str] = []
    owner: list[int] = []
    for row in rows:
        number = numbers.setdefault(str(row["image"]), len(numbers))
        cell = row.get(column)
        for text in cell if isinstance(cell, list) else [cell]:
            if not isinstance(text, str) or not text.strip():
                raise InputError(f"{printable(table)}: {row['image']} has an empty {column}, or one that is no text: {text!r}")
            texts.append(text)
            owner.append(number)
    if not texts:
        raise InputError(f"{printable(table)} has no texts: every list in {column} is empty")
    pictures = tuple(picture_of(table, name, images) for name in numbers)
    split = split if "split" in rows[0] else None
    return Captions(pictures, tuple(texts), np.array(owner, dtype=np.int64), language, split, tuple(notes))


def read_labels(
    table: Path,
    images: Path | None = None,
    *,
    column: str = "label",
    split: str | None = None,
    names: Path | None = None,
) -> Labels:
    """Reads a table with the columns image and `column`, optionally split; one label a picture.

    names: a file of class names (`class_names.read_names`); without it the labels are the names, with spaces for underscores.
    Raises InputError.
    """
    notes: list[str] = []
    rows = in_split(picture_rows(table, [column]), split, table, notes)
    labels: dict[str, str] = {}
    for row in rows:
        name, label = str(row["image"]), _label(row[column])
        if not label:
            raise InputError(f"{printable(table)}: {name} has an empty {column}")
        if labels.setdefault(name, label) != label:
            raise InputError(f"{printable(table)}: {name} has the labels {labels[name]!r} and {label!r}; one is expected")
    distinct = set(labels.values())
    classes = classes_of_labels(distinct, table, column) if names is None else classes_of_file(distinct, names)
    pictures = tuple(picture_of(table, name, images) for name in labels)
    numbers = np.array([classes.number[label] for label in labels.values()], dtype=np.int64)
    return Labels(pictures, numbers, classes.names, split, tuple(notes))


class CaptionsAndLabels(NamedTuple):
    """The captions and the labels of a table; at least one is there."""

    captions: Captions | None
    labels: Labels | None


def read_either(
    table: Path,
    images: Path | None = None,
    *,
    language: str | None = None,
    split: str | None = None,
    column: str = "label",
    names: Path | None = None,
) -> CaptionsAndLabels:
    """Reads the captions and the labels of a table. Raises InputError if it has neither."""
    columns = picture_rows(table)[0].keys()
    captions = labels = None
    if columns & set(TEXT_COLUMNS):
        captions = read_captions(table, images, language=language, split=split)
    if column in columns:
        labels = read_labels(table, images, column=column, split=split, names=names)
    if captions is None and labels is None:
        raise InputError(f"{printable(table)}: expected a column text, caption or {column}, got {', '.join(map(str, columns))}")
    return CaptionsAndLabels(captions, labels)


def with_same_names(first: Labels, second: Labels) -> tuple[Labels, Labels]:
    """Both, renumbered by one list of names: those of the first, then the further ones of the second."""
    if first.names == second.names:
        return first, second
    names = tuple(dict.fromkeys(first.names + second.names))
    number = {name: i for i, name in enumerate(names)}

    def renamed(labels: Labels) -> Labels:
        new = np.array([number[name] for name in labels.names], dtype=np.int64)
        return replace(labels, labels=new[labels.labels], names=names)

    return renamed(first), renamed(second)


def in_split(rows: list[Row], split: str | None, table: Path, notes: list[str]) -> list[Row]:
    """The rows of a split, or all; a table without splits is named in `notes`. Raises InputError."""
    if "split" not in rows[0]:
        if split is not None:
            notes.append(f"{printable(table)} has no column split; all its rows are used")
        return rows
    return rows if split is None else _where(rows, "split", split, table)


def in_language(
    rows: list[Row], language: str | None, table: Path, notes: list[str], option: str
) -> tuple[list[Row], str | None]:
    """The rows in a language, and which it is; a choice that was made is named in `notes`. Raises InputError."""
    if "lang" not in rows[0]:
        if language is not None:
            notes.append(f"{printable(table)} has no column lang; all its rows are used, whatever their language")
        return rows, None
    languages = list(dict.fromkeys(str(row.get("lang")) for row in rows))
    if language is None:
        language = DEFAULT_LANGUAGE if DEFAULT_LANGUAGE in languages else languages[0]
        if len(languages) > 1:
            others = ", ".join(f"{option}{other}" for other in languages if other != language)
            notes.append(f"{printable(table)} has texts in {len(languages)} languages; those in {language} are used ({others})")
    return _where(rows, "lang", language, table), language


def _where(rows: list[Row], column: str, value: str, table: Path) -> list[Row]:
    matching = [row for row in rows if str(row.get(column)) == value]
    if not matching:
        values = listed(dict.fromkeys(str(row.get(column)) for row in rows))
        raise InputError(f"{printable(table)} has no rows whose {column} is {value!r}; there are {values}")
    return matching


def _label(value: object) -> str:
    """A cell as a label; 3, 3.0 and "3" are the same."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).strip()
