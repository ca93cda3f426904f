"""`Label`: a class by the name that results show, and the names or phrases by which a model looks for it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from seesay.errors import InputError

SEPARATOR = "|"


@dataclass(frozen=True)
class Label:
    """A class. name: as results show it. names: the names or phrases that are encoded for it, at least one."""

    name: str
    names: tuple[str, ...]


LabelLike = str | Sequence[str] | Label  # a name; several names, the first of which is shown; a Label


def as_labels(labels: Iterable[LabelLike]) -> tuple[Label, ...]:
    """Names, or lists of names, as labels. Raises InputError for none, for an empty name, and for a name of two labels."""
    given = list(labels) if not isinstance(labels, str) else labels
    _check_list(given)
    made = tuple(_label(each, number, len(given)) for number, each in enumerate(given, 1))
    owner: dict[str, str] = {}
    for label in made:
        for name in label.names:
            if name in owner and owner[name] != label.name:
                raise InputError(f"{name!r} is a name of two labels, {owner[name]!r} and {label.name!r}; leave it in one")
            owner[name] = label.name
    return made


def check_labels(labels: Sequence[str], most: int | None = None) -> None:
    """Raises InputError for what is no list of labels, for none, an empty one, or more than `most`."""
    _check_list(labels)
    for number, label in enumerate(labels, 1):
        if not label.strip():
            raise InputError(f"label {number} of {len(labels)} is empty; remove it or write a word")
    if most is not None and len(labels) > most:
        raise InputError(f"expected at most {most} labels, got {len(labels)}", parameter="labels")


def _check_list(labels: Sequence[object]) -> None:
    if isinstance(labels, str):
        raise InputError(f"expected a list of labels, got one string {labels!r}; split it into a list first")
    if not labels:
        raise InputError("expected at least one label, got an empty list")


def _label(given: LabelLike, number: int, count: int) -> Label:
    if isinstance(given, Label):
        names, label = given.names, given
    else:
        names = (given,) if isinstance(given, str) else tuple(dict.fromkeys(given))
        label = Label(names[0] if names else "", names)
    if not names or any(not name.strip() for name in (label.name, *names)):
        raise InputError(f"label {number} of {count} is empty; remove it or write a word")
    return label


def split_label(text: str) -> Label:
    """ "dog | puppy | 狗" -> a label of these names. Raises InputError where a name is empty."""
    names = [name.strip() for name in text.split(SEPARATOR)]
    if not all(names):
        raise InputError(f"{text!r} has an empty name; write names with one {SEPARATOR} between them, such as 'dog|puppy|狗'")
    return Label(names[0], tuple(dict.fromkeys(names)))
