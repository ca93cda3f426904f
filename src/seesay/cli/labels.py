"""Labels and templates as the command line gives them: a list, a file, or the name of a ready set."""

import os
import re
from gettext import gettext as _
from pathlib import Path

import click

from seesay.cli.language import translate
from seesay.cli.output import echo_note
from seesay.errors import InputError
from seesay.system.paths import printable
from seesay.tasks.label_sets import PLAIN, label_set
from seesay.tasks.labels import SEPARATOR, Label, as_labels, split_label
from seesay.tasks.prompts import SETS, Templates, template_set

SUFFIXES = (".txt", ".tsv", ".csv")
COMMENT = "#"
MOST = 10_000  # labels
MOST_BYTES = 10 * 2**20


def listed(text: str) -> list[str]:
    """The words of a list, each once. Commas of all kinds separate them."""
    return list(dict.fromkeys(word.strip() for word in re.split("[,，、]", text) if word.strip()))


def required_labels(text: str) -> list[str]:
    """The labels of a list. Raises UsageError where there are none."""
    labels = listed(text)
    if not labels:
        raise click.UsageError(_('--labels is empty; give words separated by commas, such as --labels "cat,dog,owl".'))
    return labels


def labels_of(labels: str | None, ready: str | None) -> tuple[Label, ...]:
    """The labels that --labels (a list or a file) or --set names. Raises UsageError, InputError."""
    if (labels is None) == (ready is None):
        raise click.UsageError(_('Say which labels: --labels "cat,dog,owl", --labels FILE, or --set NAME; one of them.'))
    if ready is not None:
        return label_set(ready)
    assert labels is not None
    if labels.lower().endswith(SUFFIXES):
        made = _read(Path(labels))
    else:
        made = [split_label(each) for each in re.split("[,，、;；]", labels) if each.strip()]
    if not made:
        raise click.UsageError(_('--labels is empty; give words separated by commas, such as --labels "cat,dog,owl".'))
    return as_labels(_without_repeats(made))


def templates_of(texts: tuple[str, ...], choice: str | None, ready: str | None) -> Templates:
    """The templates of --template or --templates; those of a ready set's phrases add nothing. Raises UsageError, InputError."""
    if texts and choice is not None:
        raise click.UsageError(_("--template gives prompts of your own, --templates a set of them; choose one."))
    if choice in SETS:
        return template_set(choice)
    if choice is not None:
        from seesay.evaluation.templates import read_templates

        return read_templates(choice)
    return texts or (PLAIN if ready is not None else None)


def _without_repeats(labels: list[Label]) -> list[Label]:
    """Each label once, with all its names."""
    names: dict[str, list[str]] = {}
    for label in labels:
        names.setdefault(label.name, []).extend(label.names)
    repeated = len(labels) - len(names)
    if repeated:
        echo_note(_("{count} repeated labels are counted once").format(count=repeated))
    return [Label(name, tuple(dict.fromkeys(each))) for name, each in names.items()]


def _read(file: Path) -> list[Label]:
    """The labels of a file: a .txt with one a line, or a table with the columns label and, optionally, name or names."""
    from seesay.errors import UnreadableText
    from seesay.library.indexing.texts import parse_texts
    from seesay.system.tables import read_table

    try:
        if (size := os.stat(file).st_size) > MOST_BYTES:
            raise InputError(
                _("{file} is {size:.0f} MB; a file of labels has at most {most}").format(
                    file=printable(file), size=size / 2**20, most=MOST_BYTES // 2**20
                )
            )
        if file.suffix.lower() != ".txt":
            return _rows(file, read_table(file))
        lines = parse_texts(file.read_bytes(), file.name)
    except UnreadableText as error:
        raise InputError(f"{printable(file)}: {translate(str(error))}") from None
    except OSError as error:
        reason = translate(error.strerror or str(error))
        raise InputError(_("{file} cannot be read: {reason}").format(file=printable(file), reason=reason)) from None
    labels = [_split(file, line, text) for line, text in lines if not text.startswith(COMMENT)]
    return _counted(file, labels)


def _rows(file: Path, rows: list[dict[str, str]]) -> list[Label]:
    """A row gives names of a label, of which several rows may tell."""
    column = next((name for name in ("label", "name") if name in rows[0]), None)
    if column is None:
        raise InputError(
            _("{file}: expected a column label, and optionally name with further names, got {columns}").format(
                file=printable(file), columns=", ".join(rows[0])
            )
        )
    others = [name for name in ("name", "names") if name in rows[0] and name != column]
    labels: dict[str, list[str]] = {}
    for number, row in enumerate(rows, 2):
        label = _split(file, number, row[column])
        more = [name.strip() for other in others for name in row[other].split(SEPARATOR) if name.strip()]
        labels.setdefault(label.name, []).extend((*label.names, *more))
    return _counted(file, [Label(name, tuple(dict.fromkeys(names))) for name, names in labels.items()])


def _split(file: Path, line: int, text: str) -> Label:
    try:
        return split_label(text)
    except InputError as error:
        where = _("{file}, line {line}").format(file=printable(file), line=line)
        raise InputError(f"{where}: {translate(str(error))}") from None


def _counted(file: Path, labels: list[Label]) -> list[Label]:
    if not labels:
        raise InputError(_("{file} holds no labels, only comments").format(file=printable(file)))
    if len(labels) > MOST:
        raise InputError(
            _("{file} holds {count:,} labels; at most {most:,} are compared").format(
                file=printable(file), count=len(labels), most=MOST
            )
        )
    return labels
