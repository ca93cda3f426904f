"""Tables of pictures with captions, or with labels, as arrays that scores are computed from."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from seesay.errors import InputError
from seesay.system.paths import printable
from seesay.system.tables import TEXT_COLUMNS, Row, picture_of, read_table

DEFAULT_LANGUAGE = "en"
NAMED = 12  # classes or values that a message lists


@dataclass(frozen=True)
class Captions:
    """Pictures and the texts that describe them. `notes` say what was chosen where the table left a choice."""

    images: tuple[Path | str, ...]  # files, or URLs
    texts: tuple[str, ...]
    owner: np.ndarray  # (T,) int64: per text, the number of its picture
    language: str | None = None
    split: str | None = None
    notes: tuple[str, ...] = ()

    def only(self, kept: np.ndarray) -> "Captions":
        """These pictures (K,) by number, renumbered in this order, and their texts."""
        number = np.full(len(self.images), -1, dtype=np.int64)
        number[kept] = np.arange(len(kept))
        owner = number[self.owner]
        texts = tuple(text for text, of in zip(self.texts, owner, strict=True) if of >= 0)
        return replace(self, images=tuple(self.images[i] for i in kept), texts=texts, owner=owner[owner >= 0])


@dataclass(frozen=True)
class Labels:
    """Pictures and the class of each. Every name is a candidate, also one that no picture has."""

    images: tuple[Path | str, ...]
    labels: np.ndarray  # (N,) int64, numbers of `names`
    names: tuple[str, ...]
    split: str | None = None
    notes: tuple[str, ...] = ()

    def only(self, kept: np.ndarray) -> "Labels":
        """These pictures (K,) by number, in this order; the names stay."""
        return replace(self, images=tuple(self.images[i] for i in kept), labels=self.labels[kept])


def read_captions(
    table: Path,
    images: Path | None = None,
    *,
    language: str | None = None,
    split: str | None = None,
    option: str = "--lang ",
) -> Captions:
    """A table with the columns image and text (or caption; `texts`, a list, in JSON Lines), optionally lang and split.

    Without `language`, English where there is any, else the language that comes first; `option`, with a language behind it, is
    how the caller is asked for another one, for the note that says so. Raises InputError.
    """
    rows = read_table(table, ["image"])
    column = next((name for name in TEXT_COLUMNS if name in rows[0]), None)
    if column is None:
        raise InputError(f"{printable(table)}: expected a column text or caption, got {', '.join(map(str, rows[0]))}")
    notes: list[str] = []
    rows = _of_split(rows, split, table, notes)
    rows, language = _of_language(rows, language, table, notes, option)
    numbers: dict[str, int] = {}
    texts: list[str] = []
    owner: list[int] = []
    for row in rows:
        number = numbers.setdefault(str(row["image"]), len(numbers))
        given = row.get(column)
        for text in given if isinstance(given, list) else [given]:
            if not isinstance(text, str) or not text.strip():
                raise InputError(f"{printable(table)}: {row['image']} has an empty {column}, or one that is no text: {text!r}")
            texts.append(text)
            owner.append(number)
    if not texts:
        raise InputError(f"{printable(table)} has no texts: every list in {column} is empty")
    found = tuple(picture_of(table, name, images) for name in numbers)
    split = split if "split" in rows[0] else None
    return Captions(found, tuple(texts), np.array(owner, dtype=np.int64), language, split, tuple(notes))


def read_labels(
    table: Path,
    images: Path | None = None,
    *,
    column: str = "label",
    split: str | None = None,
    names: Path | None = None,
) -> Labels:
    """A table with the columns image and `column`, optionally split; one label a picture. `names`: see `read_names`.

    Without `names` the labels themselves are the names, with spaces for underscores. Raises InputError.
    """
    notes: list[str] = []
    rows = _of_split(read_table(table, ["image", column]), split, table, notes)
    labels: dict[str, str] = {}
    for row in rows:
        name, label = str(row["image"]), _label(row[column])
        if not label:
            raise InputError(f"{printable(table)}: {name} has an empty {column}")
        if labels.setdefault(name, label) != label:
            raise InputError(f"{printable(table)}: {name} has the labels {labels[name]!r} and {label!r}; one is expected")
    distinct = sorted(set(labels.values()), key=_numbers_first)
    number, called = _classes(distinct, table, column) if names is None else _named(distinct, names)
    found = tuple(picture_of(table, name, images) for name in labels)
    return Labels(found, np.array([number[label] for label in labels.values()], dtype=np.int64), called, split, tuple(notes))


def read_either(
    table: Path,
    images: Path | None = None,
    *,
    language: str | None = None,
    split: str | None = None,
    column: str = "label",
    names: Path | None = None,
) -> tuple[Captions | None, Labels | None]:
    """What the table has: captions, labels, or both. Raises InputError where it has neither."""
    columns = read_table(table, ["image"])[0].keys()
    captions = labels = None
    if columns & set(TEXT_COLUMNS):
        captions = read_captions(table, images, language=language, split=split)
    if column in columns:
        labels = read_labels(table, images, column=column, split=split, names=names)
    if captions is None and labels is None:
        raise InputError(f"{printable(table)}: expected a column text, caption or {column}, got {', '.join(map(str, columns))}")
    return captions, labels


def aligned(first: Labels, second: Labels) -> tuple[Labels, Labels]:
    """Both with one list of names, which has all of either."""
    if first.names == second.names:
        return first, second
    names = tuple(dict.fromkeys(first.names + second.names))
    number = {name: i for i, name in enumerate(names)}

    def renamed(labels: Labels) -> Labels:
        new = np.array([number[name] for name in labels.names], dtype=np.int64)
        return replace(labels, labels=new[labels.labels], names=names)

    return renamed(first), renamed(second)


def _of_split(rows: list[Row], split: str | None, table: Path, notes: list[str]) -> list[Row]:
    if "split" not in rows[0]:
        if split is not None:
            notes.append(f"{printable(table)} has no column split; all its rows are used")
        return rows
    return rows if split is None else _where(rows, "split", split, table)


def _of_language(
    rows: list[Row], language: str | None, table: Path, notes: list[str], option: str
) -> tuple[list[Row], str | None]:
    if "lang" not in rows[0]:
        if language is not None:
            notes.append(f"{printable(table)} has no column lang; all its rows are used, whatever their language")
        return rows, None
    there = list(dict.fromkeys(str(row.get("lang")) for row in rows))
    if language is None:
        language = DEFAULT_LANGUAGE if DEFAULT_LANGUAGE in there else there[0]
        if len(there) > 1:
            others = ", ".join(f"{option}{other}" for other in there if other != language)
            notes.append(f"{printable(table)} has texts in {len(there)} languages; those in {language} are used ({others})")
    return _where(rows, "lang", language, table), language


def _where(rows: list[Row], column: str, value: str, table: Path) -> list[Row]:
    kept = [row for row in rows if str(row.get(column)) == value]
    if not kept:
        there = _listed(dict.fromkeys(str(row.get(column)) for row in rows))
        raise InputError(f"{printable(table)} has no rows whose {column} is {value!r}; there are {there}")
    return kept


# Names of classes


def read_names(file: Path) -> tuple[str, ...] | dict[str, str]:
    """Names of classes: .txt one a line; .json a list, or an object label -> name; .tsv or .csv with columns label and name.

    A list or a dict by label, in the file's order. Raises InputError.
    """
    reader = {".txt": _names_txt, ".json": _names_json, ".tsv": _names_table, ".csv": _names_table}.get(file.suffix.lower())
    if reader is None:
        raise InputError(f"{printable(file)}: expected names of classes in a .txt, .json, .tsv or .csv file")
    try:
        found = reader(file)
    except (OSError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"{printable(file)} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if not found or any(not name.strip() for name in (found.values() if isinstance(found, dict) else found)):
        raise InputError(f"{printable(file)}: expected a name for every class, got {'an empty one' if found else 'none'}")
    return found


def _names_txt(file: Path) -> tuple[str, ...]:
    return tuple(line.strip() for line in file.read_text(encoding="utf-8-sig").rstrip().splitlines())


def _names_json(file: Path) -> tuple[str, ...] | dict[str, str]:
    try:
        value = json.loads(file.read_text(encoding="utf-8-sig"))
    except ValueError as error:
        raise InputError(f"{printable(file)} is not JSON: {error}") from None
    if isinstance(value, list) and all(isinstance(name, str) for name in value):
        return tuple(value)
    if isinstance(value, dict) and all(isinstance(name, str) for name in value.values()):
        return value
    raise InputError(f"{printable(file)}: expected a list of names, or an object label -> name")


def _names_table(file: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    for row in read_table(file, ["label", "name"]):
        if found.setdefault(row["label"], row["name"]) != row["name"]:
            raise InputError(f"{printable(file)}: label {row['label']} has two names: {found[row['label']]}, {row['name']}")
    return found


def _named(labels: Sequence[str], file: Path) -> tuple[Mapping[str, int], tuple[str, ...]]:
    """Per label the number of its class, and the names of all classes."""
    names = read_names(file)
    if isinstance(names, dict):
        number = {label: i for i, label in enumerate(names)}
        _refuse(labels, number.__contains__, f"{printable(file)} names no class for", "it names", names)
        return number, tuple(names.values())
    if all(_whole(label) for label in labels):
        _refuse(
            labels,
            lambda label: 0 <= int(label) < len(names),
            f"{printable(file)} has {len(names)} names, for the labels 0 to {len(names) - 1}, and none for",
            "where labels do not count from 0, give a .tsv or .csv with the columns label and name. The first is",
            names,
        )
        return {label: int(label) for label in labels}, names
    if len(set(names)) < len(names):
        twice = next(name for i, name in enumerate(names) if name in names[:i])
        raise InputError(f"{printable(file)} has {twice!r} twice; labels that are names need each once")
    number = {name: i for i, name in enumerate(names)}
    number |= {label: number[label.replace("_", " ")] for label in labels if label.replace("_", " ") in number}
    _refuse(labels, number.__contains__, f"{printable(file)} has no name", "it has", names)
    return number, names


def _refuse(labels: Sequence[str], known: Callable[[str], bool], said: str, then: str, there: Any) -> None:
    if unknown := [label for label in labels if not known(label)]:
        raise InputError(f"{said} {_listed(unknown)}; {then} {_listed(there)}")


def _classes(labels: Sequence[str], table: Path, column: str) -> tuple[Mapping[str, int], tuple[str, ...]]:
    names = tuple(label.replace("_", " ") for label in labels)
    if len(set(names)) < len(names):
        twice = next(name for i, name in enumerate(names) if name in names[:i])
        raise InputError(f"{printable(table)}: {column} spells {twice!r} with a space and with an underscore; choose one")
    return {label: i for i, label in enumerate(labels)}, names


def _label(value: object) -> str:
    """A cell as a label: 3, 3.0 and "3" are one."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).strip()


def _whole(label: str) -> bool:
    return label.isascii() and label.isdigit()


def _numbers_first(label: str) -> tuple[bool, int, str]:
    return (False, int(label), "") if _whole(label) else (True, 0, label)


def _listed(values: Any) -> str:
    values = [repr(value) for value in values]
    return ", ".join(values[:NAMED]) + (f" and {len(values) - NAMED} more" if len(values) > NAMED else "")
