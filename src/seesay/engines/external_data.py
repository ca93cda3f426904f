"""Checks that the external weights of an ONNX graph are files in its own folder.

A graph names the file of each weight that it does not hold. A hostile one names any file of this machine, by its path or by a
link, or an address in memory. So every name is checked before a graph is given to a library that would follow it.
"""

import mmap
from collections.abc import Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath

from seesay.errors import ModelError
from seesay.system.protobuf import SIZED, fields

# Messages that may hold tensors: message -> field number -> the message in it (onnx.proto).
INSIDE = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {13: "reference"},
    "reference": {},
}
KEY = 1  # field numbers of a reference's entry
VALUE = 2
LOCATION = b"location"  # the key of a file's name, which every reference has
RAW = 9  # field number of a tensor's bytes
SMALL = 1 << 12  # bytes
MAX_DEPTH = 50  # of messages in messages


def check(graph: Path) -> None:
    """Raises ModelError for a graph that names a file outside its folder, or bytes beyond the end of that file."""
    folder = graph.resolve().parent
    for entries in _distinct(graph):
        reference = dict(entries)
        if (fault := _fault(folder, reference)) is not None:
            raise ModelError(f"{graph} keeps a weight in {reference.get('location')!r}: {fault}. It is not opened")


def locations(graph: Path) -> list[str]:
    """The names of the files that a graph keeps weights in, as it states them: unchecked. Raises ModelError."""
    return sorted({dict(entries).get("location", "") for entries in _distinct(graph)})


def _distinct(graph: Path) -> set[tuple[tuple[str, str], ...]]:
    """The distinct external data of all tensors in a graph's file. Raises ModelError."""
    try:
        with graph.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
            # Walking through the whole graph would add 15 ms to a search.
            has_names = _names_files(data, 0, len(data), "model")
            references = list(_references(data, 0, len(data), "model", MAX_DEPTH)) if has_names else []
    except (OSError, IndexError, ValueError) as error:
        raise ModelError(f"{graph} is not a graph that can be read: {error}") from None
    return {tuple(sorted(reference.items())) for reference in references}


def _names_files(data: mmap.mmap, at: int, end: int, message: str) -> bool:
    """True if the key occurs anywhere but in the weights' own bytes."""
    for field in fields(data, at, end):
        inside = INSIDE[message].get(field.number) if field.kind == SIZED else None
        if inside in ("graph", "tensor") and field.end - field.value > SMALL:
            if _names_files(data, field.value, field.end, inside):
                return True
        elif (message, field.number) != ("tensor", RAW) and LOCATION in data[field.begin : field.end]:
            return True
    return False


def _references(data: mmap.mmap, at: int, end: int, message: str, depth: int) -> Iterator[dict[str, str]]:
    """The external data of all tensors in a message, down to `depth` levels. Raises ValueError for deeper ones."""
    if not depth:
        raise ValueError("its parts are nested too deeply")
    pairs: list[tuple[str, str]] = []
    for field in fields(data, at, end):
        inside = INSIDE[message].get(field.number) if field.kind == SIZED else None
        if inside == "reference":
            pairs.append(_pair(data, field.value, field.end))
        elif inside is not None:
            yield from _references(data, field.value, field.end, inside, depth - 1)
    for key, value in pairs:  # of a key that occurs twice, a library may follow either value
        yield {**dict(pairs), key: value}


def _pair(data: mmap.mmap, at: int, end: int) -> tuple[str, str]:
    entry = {
        field.number: data[field.value : field.end].decode("utf-8") for field in fields(data, at, end) if field.kind == SIZED
    }
    return entry.get(KEY, ""), entry.get(VALUE, "")


def name_fault(name: str) -> str | None:
    """The fault of a file's name in a graph, or None."""
    parts = {*PurePosixPath(name).parts, *PureWindowsPath(name).parts}
    if not name or ".." in parts or PurePosixPath(name).is_absolute() or PureWindowsPath(name).drive or "\0" in name:
        return "expected the name of a file in its own folder"
    return None


def _fault(folder: Path, reference: dict[str, str]) -> str | None:
    """The fault of a reference, or None."""
    name = reference.get("location", "")
    if (fault := name_fault(name)) is not None:
        return fault
    file = (folder / name).resolve()
    if not file.is_relative_to(folder):
        return f"it is a link out of its folder, to {file}"
    if not file.is_file():
        return "there is no such file in its folder"
    size = file.stat().st_size
    numbers = [reference.get("offset", "0"), reference.get("length", "0")]
    if not all(number.isascii() and number.isdigit() and len(number) < 20 for number in numbers):
        return f"expected where it begins and how long it is in whole numbers, got {' and '.join(numbers)}"
    if sum(map(int, numbers)) > size:
        return f"that file ends after {size} bytes, before the weight does"
    return None
