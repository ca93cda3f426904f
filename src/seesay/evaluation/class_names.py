"""Names of classes: read from a file, or made of the labels of a table."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from seesay.errors import InputError
from seesay.system.paths import printable
from seesay.system.tables import read_table

LISTED = 12  # values that a message lists


class Classes(NamedTuple):
    """The names of all classes, in order, and the number of each label's class."""

    names: tuple[str, ...]
    number: Mapping[str, int]


def classes_of_labels(labels: Iterable[str], source: str) -> Classes:
    """Classes that are called as their labels are, with spaces for underscores. source: a table and column, for messages.

    Labels that are whole numbers come first, by value. Raises InputError.
    """
    labels = sorted(labels, key=_numbers_first)
    names = tuple(label.replace("_", " ") for label in labels)
    if len(set(names)) < len(names):
        raise InputError(f"{source} spells {_repeated(names)!r} with a space and with an underscore; choose one")
    return Classes(names, {label: i for i, label in enumerate(labels)})


def classes_of_file(labels: Iterable[str], file: Path) -> Classes:
    """Classes named by a file (`read_names`), which must name every label's. Raises InputError."""
    labels = sorted(labels, key=_numbers_first)
    names = read_names(file)
    if isinstance(names, dict):
        number = {label: i for i, label in enumerate(names)}
        _check_named(labels, number.__contains__, f"{printable(file)} names no class for", f"it names {listed(names)}")
        return Classes(tuple(names.values()), number)
    if all(_whole(label) for label in labels):
        _check_named(
            labels,
            lambda label: 0 <= int(label) < len(names),
            f"{printable(file)} has {len(names)} names, for the labels 0 to {len(names) - 1}, and none for",
            "where labels do not count from 0, give a .tsv or .csv with the columns label and name. The first is "
            + listed(names),
        )
        return Classes(names, {label: int(label) for label in labels})
    if len(set(names)) < len(names):
        raise InputError(f"{printable(file)} has {_repeated(names)!r} twice; labels that are names need each once")
    number = {name: i for i, name in enumerate(names)}
    number |= {label: number[label.replace("_", " ")] for label in labels if label.replace("_", " ") in number}
    _check_named(labels, number.__contains__, f"{printable(file)} has no name", f"it has {listed(names)}")
    return Classes(names, number)


def read_names(file: Path) -> tuple[str, ...] | dict[str, str]:
    """Names in the file's order, of classes 0, 1, 2, ... or by label.

    .txt: one name a line; .json: a list, or an object label -> name; .tsv or .csv: columns label and name. Raises InputError.
    """
    reader = {".txt": _names_txt, ".json": _names_json, ".tsv": _names_table, ".csv": _names_table}.get(file.suffix.lower())
    if reader is None:
        raise InputError(f"{printable(file)}: expected names of classes in a .txt, .json, .tsv or .csv file")
    try:
        names = reader(file)
    except (OSError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"{printable(file)} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if not names or any(not name.strip() for name in (names.values() if isinstance(names, dict) else names)):
        raise InputError(f"{printable(file)}: expected a name for every class, got {'an empty one' if names else 'none'}")
    return names


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
    names: dict[str, str] = {}
    for row in read_table(file, ["label", "name"]):
        if names.setdefault(row["label"], row["name"]) != row["name"]:
            raise InputError(f"{printable(file)}: label {row['label']} has two names: {names[row['label']]}, {row['name']}")
    return names


def _check_named(labels: Sequence[str], has_name: Callable[[str], bool], problem: str, advice: str) -> None:
    """Raises InputError with the labels that have no name, between what is wrong and what there is."""
    if unnamed := [label for label in labels if not has_name(label)]:
        raise InputError(f"{problem} {listed(unnamed)}; {advice}")


def listed(values: Iterable[str]) -> str:
    """The first LISTED values, quoted, and how many more there are."""
    quoted = [repr(value) for value in values]
    return ", ".join(quoted[:LISTED]) + (f" and {len(quoted) - LISTED} more" if len(quoted) > LISTED else "")


def _repeated(names: Sequence[str]) -> str:
    return next(name for i, name in enumerate(names) if name in names[:i])


def _whole(label: str) -> bool:
    return label.isascii() and label.isdigit()


def _numbers_first(label: str) -> tuple[bool, int, str]:
    return (False, int(label), "") if _whole(label) else (True, 0, label)
