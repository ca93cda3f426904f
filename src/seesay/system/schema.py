"""Frozen dataclasses to JSON and back, strictly: all unknown keys, missing keys and wrong types are reported.

Understands what SeeSay's configurations use: bool, int, float, str, None, Literal, tuple[T, ...] and tuple[T, U], dict[str, T],
nested dataclasses, unions of dataclasses told apart by a `kind` field; and, by Annotated, numbers with `Bounds` and open unions
(`ByKind`).
"""

import dataclasses
import json
import math
import types
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from seesay.errors import InputError, ModelError

T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class Bounds:
    """Bounds of a numeric field, as in `rate: Annotated[float, Bounds(above=0)]`. NaN is outside of any."""

    least: float = -math.inf
    most: float = math.inf
    above: float = -math.inf
    below: float = math.inf

    def hold(self, value: float) -> bool:
        """Whether a value lies within the bounds."""
        return self.least <= value <= self.most and self.above < value < self.below

    def __str__(self) -> str:
        bounds = {"at least": self.least, "above": self.above, "at most": self.most, "below": self.below}
        return " and ".join(f"{word} {bound:g}" for word, bound in bounds.items() if math.isfinite(bound))


@dataclasses.dataclass(frozen=True)
class ByKind:
    """An open union: `tower: Annotated[Base, ByKind(options)]` is the dataclass that `options` returns for the data's
    `kind`."""

    options: Callable[[], Mapping[str, type]]


class Bounded:
    """Base of a dataclass whose fields have `Bounds`, which then hold for values made in Python, too.

    Its constructor raises InputError for the first field that is out of its bounds.
    """

    def __post_init__(self) -> None:
        cls: Any = type(self)
        for name, kind in _hints(cls).items():
            value = getattr(self, name)
            for bounds, number in _bounded(kind, value):
                if not bounds.hold(number):
                    raise InputError(f"expected {name} {bounds}, got {value}")


@cache
def _hints(cls: type) -> dict[str, Any]:
    return get_type_hints(cls, include_extras=True)


def _bounded(kind: Any, value: Any) -> Iterator[tuple[Bounds, float]]:
    """The bounded numbers in a value of this type, each with its bounds."""
    if get_origin(kind) is Annotated and isinstance(kind.__metadata__[0], Bounds):
        yield kind.__metadata__[0], value
    elif get_origin(kind) in (Union, types.UnionType) and value is not None:
        for option in get_args(kind):
            yield from _bounded(option, value)
    elif get_origin(kind) is tuple:
        options = get_args(kind)
        for option, item in zip([options[0]] * len(value) if options[-1] is Ellipsis else options, value, strict=False):
            yield from _bounded(option, item)


def from_json(cls: type[T], data: object, name: str) -> T:
    """A `cls` from parsed JSON. name: of the data's source, for messages. Raises InputError with every fault."""
    faults: list[str] = []
    value = _read(cls, data, "", faults)
    if faults:
        raise InputError(f"{name} is not valid:\n" + "\n".join(f"  {fault}" for fault in faults))
    return value  # type: ignore[no-any-return]


def to_json(value: object) -> Any:
    """The plain JSON form of a (nested) dataclass; the inverse of `from_json`."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_json(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, tuple | list):
        return [to_json(item) for item in value]
    if isinstance(value, Mapping):
        return {key: to_json(item) for key, item in value.items()}
    return value


def _read(kind: Any, data: object, at: str, faults: list[str]) -> Any:
    if dataclasses.is_dataclass(kind):
        return _read_dataclass(kind, data, at, faults)
    origin, args = get_origin(kind), get_args(kind)
    if origin is Annotated and isinstance(args[1], ByKind):
        return _read_kind(args[1].options(), data, at, faults)
    if origin is Annotated:
        before = len(faults)
        value, bounds = _read(args[0], data, at, faults), args[1]
        return _check(bounds.hold(value), value, at, str(bounds), faults) if len(faults) == before else None
    if origin is Literal:
        return _check(data in args, data, at, f"one of {', '.join(map(repr, args))}", faults)
    if origin in (Union, types.UnionType):
        return _read_union(args, data, at, faults)
    if origin is tuple:
        if not isinstance(data, list | tuple):
            return _check(False, data, at, "a list", faults)
        if args[-1] is not Ellipsis and len(data) != len(args):
            return _check(False, data, at, f"a list of {len(args)} values", faults)
        each = [args[0]] * len(data) if args[-1] is Ellipsis else args
        return tuple(_read(t, item, f"{at}[{i}]", faults) for i, (t, item) in enumerate(zip(each, data, strict=True)))
    if origin is dict:
        if not isinstance(data, dict):
            return _check(False, data, at, "an object", faults)
        return {key: _read(args[1], item, _join(at, key), faults) for key, item in data.items()}
    if kind is float and isinstance(data, int) and not isinstance(data, bool):
        return float(data)
    matches = isinstance(data, kind) and (kind is bool or not isinstance(data, bool))
    return _check(matches, data, at, _type_name(kind), faults)


def _read_dataclass(cls: Any, data: object, at: str, faults: list[str]) -> Any:
    if not isinstance(data, dict):
        return _check(False, data, at, "an object", faults)
    before = len(faults)
    hints = _hints(cls)
    fields = {field.name: field for field in dataclasses.fields(cls)}
    for key in [key for key in data if key not in fields]:
        near = _near(str(key), fields)
        faults.append(f"{_join(at, key)}: unknown key" + (f"; did you mean {near!r}?" if near else ""))
    values = {}
    for key, field in fields.items():
        if key in data:
            values[key] = _read(hints[key], data[key], _join(at, key), faults)
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            faults.append(f"{_join(at, key)}: missing")
    if len(faults) > before:
        return None
    try:
        return cls(**values)
    except ValueError as error:  # from the class's own checks
        message = str(error)
        faults.append(_at(at, message if message.startswith("expected") else f"expected {message}"))
        return None


def _read_union(args: tuple[Any, ...], data: object, at: str, faults: list[str]) -> Any:
    if data is None and type(None) in args:
        return None
    options = [arg for arg in args if arg is not type(None)]
    if len(options) == 1:
        return _read(options[0], data, at, faults)
    return _read_kind({get_args(get_type_hints(option)["kind"])[0]: option for option in options}, data, at, faults)


def _read_kind(kinds: Mapping[str, type], data: object, at: str, faults: list[str]) -> Any:
    kind = data.get("kind") if isinstance(data, dict) else None
    if not isinstance(kind, str) or kind not in kinds:
        return _check(False, kind, _join(at, "kind"), f"one of {', '.join(map(repr, kinds))}", faults)
    return _read(kinds[kind], data, at, faults)


def _check(good: bool, data: object, at: str, expected: str, faults: list[str]) -> Any:
    if not good:
        faults.append(_at(at, f"expected {expected}, got {data!r}")[:300])
    return data


def _at(at: str, message: str) -> str:
    return f"{at}: {message}" if at else message


def _near(key: str, names: Mapping[str, Any]) -> str | None:
    """The name that was probably meant, also by its initials, such as lr for learning_rate."""
    import difflib  # only files with faults need it

    initials = [name for name in names if "_" in name and "".join(word[0] for word in name.split("_") if word) == key]
    return next(iter([*difflib.get_close_matches(key, names, n=1), *initials]), None)


def _type_name(kind: Any) -> str:
    return {str: "a string", int: "a whole number", float: "a number", bool: "true or false"}.get(kind, str(kind))


def _join(at: str, key: object) -> str:
    return f"{at}.{key}" if at else str(key)


def read_object(file: Path) -> dict[str, Any]:
    """Reads a model's JSON file that holds an object. Raises ModelError."""
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{file} cannot be read: {error}") from None
    if not isinstance(values, dict):
        raise ModelError(f"{file} is not a configuration: expected an object, got {type(values).__name__}")
    return values
