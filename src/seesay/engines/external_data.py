"""Which files beside an ONNX graph its weights may lie in: such as are in its own folder, and nothing else.

A graph names the file of each weight that lies outside it. Made to harm, it names a file of the machine's, by its path or by a
link, or a place in memory. So every name is looked at before a graph is handed to a library that would follow it.
"""

import mmap
from collections.abc import Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath

from seesay.errors import ModelError
from seesay.system.protobuf import SIZED, fields

# What may hold tensors: message -> number of a field -> the message in it (onnx.proto).
INSIDE = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {13: "place"},
    "place": {},
}
KEY, VALUE = 1, 2
LOCATION = b"location"  # the key of a file's name, without which none is named
RAW = 9  # of a tensor: its bytes
SMALL = 1 << 12  # bytes
DEEPEST = 50  # messages in messages


def check(graph: Path) -> None:
    """Raises ModelError for a graph that names a file outside its folder, or a part that its file has not."""
    try:
        with graph.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
            named = _names_files(data, 0, len(data), "model")  # walking through all of it takes 15 ms of a search
            places = list(_places(data, 0, len(data), "model", DEEPEST)) if named else []
    except (OSError, IndexError, ValueError) as error:
        raise ModelError(f"{graph} is not a graph that can be read: {error}") from None
    folder = graph.resolve().parent
    for said in {tuple(sorted(place.items())) for place in places}:
        if (fault := _fault(folder, dict(said))) is not None:
            raise ModelError(f"{graph} keeps a weight in {dict(said).get('location')!r}: {fault}. It is not opened")


def _names_files(data: mmap.mmap, at: int, end: int, message: str) -> bool:
    """Whether the key is anywhere but in the weights' own bytes."""
    for field in fields(data, at, end):
        inside = INSIDE[message].get(field.number) if field.kind == SIZED else None
        if inside in ("graph", "tensor") and field.end - field.value > SMALL:
            if _names_files(data, field.value, field.end, inside):
                return True
        elif (message, field.number) != ("tensor", RAW) and LOCATION in data[field.begin : field.end]:
            return True
    return False


def _places(data: mmap.mmap, at: int, end: int, message: str, left: int) -> Iterator[dict[str, str]]:
    if not left:
        raise ValueError("its parts are nested too deeply")
    pairs: list[tuple[str, str]] = []
    for field in fields(data, at, end):
        inside = INSIDE[message].get(field.number) if field.kind == SIZED else None
        if inside == "place":
            pairs.append(_pair(data, field.value, field.end))
        elif inside is not None:
            yield from _places(data, field.value, field.end, inside, left - 1)
    for key, value in pairs:  # said twice, a library may follow either
        yield {**dict(pairs), key: value}


def _pair(data: mmap.mmap, at: int, end: int) -> tuple[str, str]:
    said = {
        field.number: data[field.value : field.end].decode("utf-8") for field in fields(data, at, end) if field.kind == SIZED
    }
    return said.get(KEY, ""), said.get(VALUE, "")


def _fault(folder: Path, place: dict[str, str]) -> str | None:
    name = place.get("location", "")
    parts = {*PurePosixPath(name).parts, *PureWindowsPath(name).parts}
    if not name or ".." in parts or PurePosixPath(name).is_absolute() or PureWindowsPath(name).drive or "\0" in name:
        return "expected the name of a file in its own folder"
    file = (folder / name).resolve()
    if not file.is_relative_to(folder):
        return f"it is a link out of its folder, to {file}"
    if not file.is_file():
        return "there is no such file in its folder"
    size = file.stat().st_size
    numbers = [place.get("offset", "0"), place.get("length", "0")]
    if not all(number.isascii() and number.isdigit() and len(number) < 20 for number in numbers):
        return f"expected where it begins and how long it is in whole numbers, got {' and '.join(numbers)}"
    if sum(map(int, numbers)) > size:
        return f"that file ends after {size} bytes, before the weight does"
    return None
