"""The pictures of a fine-tuning: the user's table, in a part that trains and a part that is held out."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from seesay.errors import InputError
from seesay.evaluation.class_names import classes_of_file, classes_of_labels
from seesay.system.files import write_atomically
from seesay.system.paths import absolute, is_url, printable
from seesay.system.tables import TEXT_COLUMNS, Row, picture_of, picture_rows
from seesay.training.data.class_folder import pictures_by_class
from seesay.training.finetune.settings import FineTuning

HELD_OUT = 0.2  # share of each class, or of the pictures
MOST_HELD_OUT = 1000  # pictures with captions, of which more make no better decision
SPLITS = {"train": ("train", "training"), "val": ("val", "valid", "validation", "dev")}  # values of a column split


@dataclass(frozen=True)
class Tables:
    """Tables as they lie in the folder of a fine-tuning: image, and label or text. names: of all classes, in a file.

    train_pictures, val_pictures: their numbers. notes: how they came about.
    """

    kind: Literal["labels", "captions"]
    train: Path
    val: Path
    names: Path | None
    train_pictures: int
    val_pictures: int
    notes: tuple[str, ...]


def prepare_tables(settings: FineTuning) -> Tables:
    """Reads the user's tables and writes those of the fine-tuning, the same ones each time. Raises InputError.

    Rows are held out by a column split (train, val) where there is one, else by the table `val`, else a fifth of each class by
    the seed. A class with one picture keeps it for training.
    """
    notes: list[str] = []
    rows, kind = _rows(settings.data, settings)
    given = {part: [row for row in rows if row.get("split") in values] for part, values in SPLITS.items()}
    if settings.val is not None:
        held_out, other = _rows(settings.val, settings)
        if other != kind:
            raise InputError(f"expected {kind} in {printable(settings.val)}, as in {printable(settings.data)}, got {other}")
        train = given["train"] or rows
        held_out = [row for row in held_out if row.get("split") in SPLITS["val"]] or held_out
    elif given["train"] and given["val"]:
        train, held_out = given["train"], given["val"]
    else:
        train, held_out = _split(rows, kind, settings.seed, notes)
    folder = settings.out / "data"
    names = None
    if kind == "labels":
        names, train, held_out = _named(train, held_out, settings, folder)
        if settings.names is None and settings.method != "probe" and all(row["label"].isdecimal() for row in train):
            notes.append("labels that are numbers tell a model nothing; --names gives them names, which it may know already")
    tables = {"train": train, "val": held_out}
    for part, own in tables.items():
        if not own:
            raise InputError(f"expected pictures in the part {part!r} of {printable(settings.data)}, got none; add some rows")
        _write(folder / f"{part}.jsonl", own)
    counts = [len({row["image"] for row in own}) for own in tables.values()]
    return Tables(kind, folder / "train.jsonl", folder / "val.jsonl", names, counts[0], counts[1], tuple(notes))


def _rows(table: Path, settings: FineTuning) -> tuple[list[dict[str, str]], Literal["labels", "captions"]]:
    """Rows of image, label or text, and perhaps split; images as absolute paths or URLs. Folders in a folder are labels."""
    if table.is_dir():
        by_class = pictures_by_class(table)
        return [{"image": absolute(path), "label": label} for label, paths in by_class.items() for path in paths], "labels"
    raw = picture_rows(table)
    text = next((name for name in TEXT_COLUMNS if name in raw[0]), None)
    column = settings.label_column if settings.label_column in raw[0] else text
    if column is None:
        missing, got = f"{settings.label_column}, text or caption", ", ".join(map(str, raw[0]))
        raise InputError(f"{printable(table)}: expected a column {missing}, got {got}")
    labelled = column == settings.label_column
    rows = [
        {"image": _picture(table, str(row["image"]), settings.images), "label" if labelled else "text": value, **_part(row)}
        for number, row in enumerate(raw, 1)
        for value in _values(table, number, row.get(column), column)
    ]
    return rows, "labels" if labelled else "captions"


def _picture(table: Path, name: str, images: Path | None) -> str:
    picture = picture_of(table, name, images)
    return str(picture) if is_url(str(picture)) else absolute(picture)


def _values(table: Path, number: int, value: object, column: str) -> list[str]:
    """A label or text, or several texts of one picture."""
    values = [str(each).strip() for each in (value if isinstance(value, list) else [value]) if each is not None]
    if not values or not all(values):
        raise InputError(f"{printable(table)}, row {number}: expected a {column}, got an empty one")
    return values


def _part(row: Row) -> Mapping[str, str]:
    return {"split": str(row["split"]).strip().lower()} if row.get("split") else {}


def _split(
    rows: Sequence[dict[str, str]], kind: str, seed: int, notes: list[str]
) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    """Holds out a fifth: of the pictures of each class, or of all. A picture is on one side with all its rows."""
    generator = np.random.default_rng(seed)
    groups: dict[str, dict[str, None]] = {}
    for row in rows:
        groups.setdefault(row.get("label", ""), {})[row["image"]] = None
    held_out: set[str] = set()
    for _, pictures in sorted(groups.items()):
        order = generator.permutation(len(pictures))
        count = max(1, round(HELD_OUT * len(order))) if len(order) > 1 else 0
        count = min(count, MOST_HELD_OUT) if kind == "captions" else count
        own = list(pictures)
        held_out.update(own[i] for i in order[:count].tolist())
    notes.append(_note(kind, len(held_out), sum(map(len, groups.values()))))
    return [row for row in rows if row["image"] not in held_out], [row for row in rows if row["image"] in held_out]


def _note(kind: str, held_out: int, pictures: int) -> str:
    if kind == "labels":
        return f"no validation was named, so a fifth of each class is held out: {held_out} of {pictures} pictures"
    return f"no validation was named, so a fifth of the pictures is held out: {held_out} of {pictures}"


def _named(
    train: Sequence[dict[str, str]], held_out: Sequence[dict[str, str]], settings: FineTuning, folder: Path
) -> tuple[Path, list[dict[str, str]], list[dict[str, str]]]:
    """The rows with the names of their classes as labels, and the file of all names. Raises InputError for fewer than two."""
    labels = {row["label"] for row in (*train, *held_out)}
    if settings.names is None:
        classes = classes_of_labels(labels, settings.data, settings.label_column)
    else:
        classes = classes_of_file(labels, settings.names)
    if len({classes.number[row["label"]] for row in train}) < 2:
        raise InputError(f"expected pictures of at least two classes in {printable(settings.data)}, got those of one")
    _keep(folder / "names.txt", "".join(f"{name}\n" for name in classes.names))
    parts = ([{**row, "label": classes.names[classes.number[row["label"]]]} for row in part] for part in (train, held_out))
    return folder / "names.txt", next(parts), next(parts)


def _write(file: Path, rows: Sequence[Mapping[str, str]]) -> None:
    kept = ({key: value for key, value in row.items() if key != "split"} for row in rows)
    _keep(file, "".join(json.dumps(row) + "\n" for row in kept))  # ASCII, since a path need not be UTF-8


def _keep(file: Path, content: str) -> None:
    """Writes a file; one that is there must have this content already. Raises InputError."""
    if not file.is_file():
        write_atomically(file, content)
    elif file.read_text(encoding="utf-8") != content:
        raise InputError(
            f"{printable(file)} is of other pictures: the table has changed since. Name another folder with --out, or remove "
            "this one"
        )
