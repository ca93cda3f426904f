"""Tables from a format's tensor names to SeeSay's; a name that is left over or missing is an error."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

How = Literal["same", "transpose", "stack", "scalar", "single", "squeeze", "temperature"]


@dataclass(frozen=True)
class Row:
    """A foreign tensor name and the native names that it becomes; `{}` stands for a number, the same on both sides.

    how "transpose": the foreign tensor is the native one transposed; "stack": the native ones stacked along their first
    axis (fused query, key, value); "scalar" and "single": one number, stored with the shape () or (1,), and written with the
    former or the latter; "squeeze": the foreign tensor has sides of 1 before the native one's; "temperature": one number that
    divides cosines, becoming the logarithm of its inverse.
    A row without native names is recognised and left out, for the reason in `why`.
    """

    foreign: str
    native: tuple[str, ...] = ()
    how: How = "same"
    why: str = ""

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """Matches foreign names, one group per number."""
        return re.compile(re.escape(self.foreign).replace(r"\{\}", r"(\d+)"))


Table = tuple[Row, ...]


def row(foreign: str, *native: str, how: How = "same") -> Row:
    """A row for a tensor that is read."""
    return Row(foreign, native, how)


def ignored(foreign: str, why: str) -> Row:
    """A row for a tensor that is left out, and the reason."""
    return Row(foreign, why=why)


def layer(foreign: str, native: str) -> Table:
    """Rows for a layer's weight and bias."""
    return (row(f"{foreign}.weight", f"{native}.weight"), row(f"{foreign}.bias", f"{native}.bias"))


def nested(table: Table, foreign: str = "", native: str = "") -> Table:
    """The table with a prefix before its foreign names and another before its native ones."""
    return tuple(Row(foreign + r.foreign, tuple(native + name for name in r.native), r.how, r.why) for r in table)


@dataclass(frozen=True)
class Origin:
    """The foreign tensor that a native one is read from, and how: part number `part` of `parts` where several are stacked."""

    foreign: str
    how: How
    part: int = 0
    parts: int = 1

    def shape(self, foreign: tuple[int, ...]) -> tuple[int, ...]:
        """The native tensor's shape, from the foreign one's."""
        match self.how:
            case "transpose":
                return foreign[::-1]
            case "stack":
                return (foreign[0] // self.parts, *foreign[1:]) if foreign else foreign
            case "scalar" | "single" | "temperature":
                return () if foreign in ((), (1,)) else foreign
            case "squeeze":
                return squeezed(foreign)
        return foreign


def squeezed(shape: tuple[int, ...]) -> tuple[int, ...]:
    """A shape without the sides of 1 at its beginning; the last side stays."""
    while len(shape) > 1 and shape[0] == 1:
        shape = shape[1:]
    return shape


@dataclass(frozen=True)
class Account:
    """Every foreign name in exactly one place.

    origins: native name -> where it is read from. unmatched: foreign names that no row matches. ignored: foreign name ->
    why it is left out.
    """

    origins: Mapping[str, Origin]
    unmatched: tuple[str, ...]
    ignored: Mapping[str, str]


def account(foreign: Iterable[str], table: Table) -> Account:
    """Matches every foreign name with the first row that fits it."""
    origins: dict[str, Origin] = {}
    unmatched, ignored_names = [], {}
    for name in foreign:
        for candidate in table:
            if match := candidate.pattern.fullmatch(name):
                numbers = match.groups()
                for part, native in enumerate(candidate.native):
                    origins[native.format(*numbers)] = Origin(name, candidate.how, part, len(candidate.native))
                if not candidate.native:
                    ignored_names[name] = candidate.why
                break
        else:
            unmatched.append(name)
    return Account(origins, tuple(unmatched), ignored_names)
