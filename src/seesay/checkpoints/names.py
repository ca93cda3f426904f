"""Weight names as data: tables from a foreign format's names to ours, and a closed account of what was and was not there."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

How = Literal["same", "transpose", "stack", "scalar"]


@dataclass(frozen=True)
class Row:
    """`{}` stands for a number, the same on both sides.

    how "transpose": theirs is ours turned; "stack": theirs is ours one above the other (fused query, key, value);
    "scalar": one number, stored () or (1,). A row without `ours` is known and left out, because `why`.
    """

    theirs: str
    ours: tuple[str, ...] = ()
    how: How = "same"
    why: str = ""

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        return re.compile(re.escape(self.theirs).replace(r"\{\}", r"(\d+)"))


Table = tuple[Row, ...]


def row(theirs: str, *ours: str, how: How = "same") -> Row:
    return Row(theirs, ours, how)


def ignored(theirs: str, why: str) -> Row:
    return Row(theirs, why=why)


def layer(theirs: str, ours: str) -> Table:
    """A layer's weight and bias."""
    return (row(f"{theirs}.weight", f"{ours}.weight"), row(f"{theirs}.bias", f"{ours}.bias"))


def nested(table: Table, theirs: str = "", ours: str = "") -> Table:
    """A table moved below prefixes."""
    return tuple(Row(theirs + r.theirs, tuple(ours + name for name in r.ours), r.how, r.why) for r in table)


@dataclass(frozen=True)
class Place:
    """Where one of our tensors is found: part `part` of `parts` of the foreign tensor `theirs`."""

    theirs: str
    how: How
    part: int = 0
    parts: int = 1

    def shape(self, theirs: tuple[int, ...]) -> tuple[int, ...]:
        match self.how:
            case "transpose":
                return theirs[::-1]
            case "stack":
                return (theirs[0] // self.parts, *theirs[1:]) if theirs else theirs
            case "scalar":
                return ()
        return theirs


@dataclass(frozen=True)
class Account:
    """places: ours -> where it is found. left_over: names that no row knows. ignored: foreign name -> why it is left out."""

    places: Mapping[str, Place]
    left_over: tuple[str, ...]
    ignored: Mapping[str, str]


def account(theirs: Iterable[str], table: Table) -> Account:
    """Finds the row of every foreign name."""
    places: dict[str, Place] = {}
    left_over, without = [], {}
    for name in theirs:
        for candidate in table:
            if match := candidate.pattern.fullmatch(name):
                numbers = match.groups()
                for part, ours in enumerate(candidate.ours):
                    places[ours.format(*numbers)] = Place(name, candidate.how, part, len(candidate.ours))
                if not candidate.ours:
                    without[name] = candidate.why
                break
        else:
            left_over.append(name)
    return Account(places, tuple(left_over), without)
