"""Pictures that were made from prompts, or edited: tables of them, as arrays that scores are computed from."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from seesay.errors import InputError
from seesay.evaluation.datasets import in_language, in_split
from seesay.images.decoding.formats import SUFFIXES
from seesay.system.paths import printable
from seesay.system.tables import READERS, TEXT_COLUMNS, Row, picture_of, pictures_folder, read_table

PROMPT_COLUMNS = ("prompt", *TEXT_COLUMNS)  # in order of preference
REFERENCE_COLUMNS = ("reference", "references")
CAPTION = ".txt"  # beside a picture, its prompt
LONGEST_CAPTION = 100_000  # letters
AFTER_PROMPT = re.compile(r"^(?:Negative prompt: |Steps: \d+, )", re.MULTILINE)  # as A1111's web interface saves it
LINES = "prompts.txt"  # in a folder: a prompt a line, in the order of the pictures' names
EDIT_COLUMNS = ("before", "after", "source", "target")


@dataclass(frozen=True)
class Prompts:
    """Pictures and the prompts that they were made from. references: captions by people, for each prompt; may be empty."""

    images: tuple[Path | str, ...]  # files, or URLs
    texts: tuple[str, ...]
    owner: np.ndarray  # (T,) int64: the number of each prompt's picture
    references: tuple[tuple[str, ...], ...]
    language: str | None = None
    split: str | None = None
    notes: tuple[str, ...] = ()

    def only(self, numbers: np.ndarray) -> "Prompts":
        """The pictures of these numbers (K,), renumbered in this order, with their prompts."""
        number = np.full(len(self.images), -1, dtype=np.int64)
        number[numbers] = np.arange(len(numbers))
        owner = number[self.owner]
        kept = np.flatnonzero(owner >= 0)
        return replace(
            self,
            images=tuple(self.images[i] for i in numbers),
            texts=tuple(self.texts[i] for i in kept),
            owner=owner[kept],
            references=tuple(self.references[i] for i in kept),
        )


@dataclass(frozen=True)
class Edits:
    """Pictures before and after an edit, with what each should show: rows of a table, all (N,)."""

    before: tuple[Path | str, ...]
    after: tuple[Path | str, ...]
    source: tuple[str, ...]
    target: tuple[str, ...]
    split: str | None = None
    notes: tuple[str, ...] = ()

    def only(self, numbers: np.ndarray) -> "Edits":
        """The edits of these numbers (K,), in this order."""
        before, after = (tuple(some[i] for i in numbers) for some in (self.before, self.after))
        source, target = (tuple(some[i] for i in numbers) for some in (self.source, self.target))
        return replace(self, before=before, after=after, source=source, target=target)


def read_prompts(source: Path, images: Path | None = None, *, language: str | None = None, split: str | None = None) -> Prompts:
    """Reads a table with the columns image and prompt (or text, caption), optionally reference, lang, split; or a folder.

    A folder holds pictures, and prompts.tsv, .csv, .jsonl or .parquet as such a table, or prompts.txt: a prompt a line, in the
    order of the pictures' names; or beside each picture a .txt of its name. Pictures of a folder without a prompt are named in
    a note. Raises InputError.
    """
    notes: list[str] = []
    table = _table_of(source) if source.is_dir() else source
    if table is None:
        return _read_captions(source)
    if table.name == LINES and source.is_dir():
        return _read_lines(source, table)
    rows = read_table(table, ["image"])
    column = next((name for name in PROMPT_COLUMNS if name in rows[0]), None)
    if column is None:
        raise InputError(f"{printable(table)}: expected a column prompt, text or caption, got {', '.join(map(str, rows[0]))}")
    rows = in_split(rows, split, table, notes)
    rows, language = in_language(rows, language, table, notes, "--lang ")
    references = _gathered(rows, column, table)
    numbers = {name: at for at, name in enumerate(dict.fromkeys(image for image, _ in references))}
    pictures = tuple(picture_of(table, name, images) for name in numbers)
    if source.is_dir():
        notes += _without_prompt(source, pictures)
    return Prompts(
        pictures,
        tuple(text for _, text in references),
        np.array([numbers[image] for image, _ in references], dtype=np.int64),
        tuple(tuple(dict.fromkeys(some)) for some in references.values()),
        language,
        split if "split" in rows[0] else None,
        tuple(notes),
    )


def read_edits(table: Path, images: Path | None = None, *, split: str | None = None) -> Edits:
    """Reads a table with the columns before and after (pictures), source and target (texts). Raises InputError."""
    notes: list[str] = []
    rows = in_split(read_table(table, EDIT_COLUMNS), split, table, notes)
    for row in rows:
        if empty := [name for name in EDIT_COLUMNS if not str(row[name]).strip()]:
            raise InputError(f"{printable(table)}: {row['before'] or row['after']} has an empty {empty[0]}")
    before, after = (tuple(picture_of(table, str(row[name]), images) for row in rows) for name in ("before", "after"))
    source, target = (tuple(str(row[name]) for row in rows) for name in ("source", "target"))
    return Edits(before, after, source, target, split if "split" in rows[0] else None, tuple(notes))


def _gathered(rows: list[Row], column: str, table: Path) -> dict[tuple[str, str], list[str]]:
    """The references of each (picture, prompt), in the order of the table."""
    found: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        prompts = row.get(column)
        for prompt in prompts if isinstance(prompts, list) else [prompts]:
            if not isinstance(prompt, str) or not prompt.strip():
                raise InputError(
                    f"{printable(table)}: {row['image']} has an empty {column}, or one that is no text: {prompt!r}"
                )
            found.setdefault((str(row["image"]), prompt), []).extend(_references(row, table))
    return found


def _references(row: Row, table: Path) -> Iterable[str]:
    for name in REFERENCE_COLUMNS:
        value = row.get(name)
        for text in value if isinstance(value, list) else [value]:
            if text is not None and not isinstance(text, str):
                raise InputError(f"{printable(table)}: {row['image']} has a {name} that is no text: {text!r}")
            if text and text.strip():
                yield text


def _table_of(folder: Path) -> Path | None:
    """The prompts' file of a folder; None where captions lie beside pictures. Raises InputError for no or several files."""
    names = (*(f"prompts{suffix}" for suffix in READERS), LINES)
    found = [folder / name for name in names if (folder / name).is_file()]
    if not found and any(picture.with_suffix(CAPTION).is_file() for picture in _pictures_in(folder)):
        return None
    if len(found) != 1:
        got = ", ".join(file.name for file in found) or "none of them"
        raise InputError(
            f"{printable(folder)}: expected one of {', '.join(names)} beside the pictures, or a .txt for each picture (cat.txt "
            f"for cat.png), got {got}"
        )
    return found[0]


def _read_lines(folder: Path, file: Path) -> Prompts:
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{printable(file)} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    texts = tuple(line.strip() for line in lines if line.strip())
    pictures = _pictures_in(folder)
    if len(texts) != len(pictures):
        raise InputError(
            f"{printable(file)} has {len(texts)} prompts for {len(pictures)} pictures; expected one a line, in the order of "
            "their names. Else name the pictures in a table, prompts.tsv, with the columns image and prompt"
        )
    if not texts:
        raise InputError(f"{printable(folder)} holds no pictures")
    return Prompts(tuple(pictures), texts, np.arange(len(texts), dtype=np.int64), ((),) * len(texts))


def _read_captions(folder: Path) -> Prompts:
    """Pictures with a .txt of the same name beside each."""
    captions = {picture: _caption(picture.with_suffix(CAPTION)) for picture in _pictures_in(folder)}
    named = {picture: caption for picture, caption in captions.items() if caption}
    if not named:
        raise InputError(f"{printable(folder)}: the .txt files beside the pictures are empty")
    bare = [picture.name for picture in captions if picture not in named]
    count = len(named)
    return Prompts(
        tuple(named), tuple(named.values()), np.arange(count, dtype=np.int64), ((),) * count, notes=tuple(_bare_note(bare))
    )


def _caption(file: Path) -> str:
    """The prompt in a file: one line of all, until what web interfaces write after it (negative prompt, settings)."""
    if not file.is_file():
        return ""
    try:
        with file.open(encoding="utf-8-sig") as opened:
            text = opened.read(LONGEST_CAPTION)
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{printable(file)} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    return " ".join(AFTER_PROMPT.split(text, maxsplit=1)[0].split())


def _without_prompt(folder: Path, pictures: Iterable[Path | str]) -> list[str]:
    """A note on pictures of a folder that its table does not name."""
    named = {str(picture) for picture in pictures}
    bare = [picture.name for picture in _pictures_in(pictures_folder(folder / LINES)) if str(picture) not in named]
    return _bare_note(bare)


def _bare_note(bare: list[str]) -> list[str]:
    if len(bare) == 1:
        return [f"1 picture has no prompt and is left out: {bare[0]}"]
    return [f"{len(bare)} pictures have no prompt and are left out, such as {bare[0]}"] if bare else []


def _pictures_in(folder: Path) -> list[Path]:
    files = (file for file in folder.iterdir() if file.suffix.lower() in SUFFIXES and not file.name.startswith("."))
    return sorted(file for file in files if file.is_file())
