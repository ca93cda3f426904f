"""Frozen dataclasses from JSON, strictly: unknown keys, missing keys and wrong types are all reported together.

Understands what SeeSay's configurations use: bool, int, float, str, None, Literal, tuple[T, ...] and tuple[T, U], dict[str, T],
nested dataclasses, and unions of dataclasses told apart by a `kind` field.
"""

import dataclasses
import types
from collections.abc import Mapping
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from seesay.errors import InputError

T = TypeVar("T")


def from_json(cls: type[T], data: object, name: str) -> T:
    """Builds a `cls` from parsed JSON; `name` says in messages where the data came from. Raises InputError with every fault."""
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
    hints = get_type_hints(cls)
    fields = {field.name: field for field in dataclasses.fields(cls)}
    for key in data.keys() - fields.keys():
        import difflib  # a good file needs none of it, and every command reads one

        near = difflib.get_close_matches(str(key), fields, n=1)
        faults.append(f"{_join(at, key)}: unknown key" + (f"; did you mean {near[0]!r}?" if near else ""))
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
    except ValueError as error:  # what a class says of its own values
        said = str(error)
        faults.append(f"{at or 'top level'}: {said if said.startswith('expected') else f'expected {said}'}")
        return None


def _read_union(args: tuple[Any, ...], data: object, at: str, faults: list[str]) -> Any:
    if data is None and type(None) in args:
        return None
    options = [arg for arg in args if arg is not type(None)]
    if len(options) == 1:
        return _read(options[0], data, at, faults)
    kinds = {get_args(get_type_hints(option)["kind"])[0]: option for option in options}
    kind = data.get("kind") if isinstance(data, dict) else None
    if not isinstance(kind, str) or kind not in kinds:
        return _check(False, kind, _join(at, "kind"), f"one of {', '.join(map(repr, kinds))}", faults)
    return _read(kinds[kind], data, at, faults)


def _check(good: bool, data: object, at: str, expected: str, faults: list[str]) -> Any:
    if not good:
        faults.append(f"{at or 'top level'}: expected {expected}, got {data!r}"[:300])
    return data


def _type_name(kind: Any) -> str:
    return {str: "a string", int: "a whole number", float: "a number", bool: "true or false"}.get(kind, str(kind))


def _join(at: str, key: object) -> str:
    return f"{at}.{key}" if at else str(key)
