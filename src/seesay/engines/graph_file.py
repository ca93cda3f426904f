"""Reads the structure of an ONNX file without its large weights, which ONNX Runtime then maps into memory.

Opened by its path, a graph of 25 MB is parsed and its weights are copied, which is more than a third of the time that opening
takes. So each large weight is replaced by a reference to its bytes in the same file (ONNX's external data).
"""

import mmap
from pathlib import Path

from seesay.system.protobuf import VARINT, Field, fields, sized_field, varint

LARGE = 1 << 14  # bytes; smaller weights are not worth a reference
BYTES = (2, 3)  # ONNX's types uint8 and int8; others would have to begin at multiples of their size
# Field numbers of onnx.proto.
GRAPH = 7  # of a model
INITIALIZER = 5  # of a graph
TYPE = 2  # of a tensor, and the next three
RAW = 9
EXTERNAL = 13
LOCATION = 14
KEY = 1  # of an entry of external data, and the next
VALUE = 2


def structure(path: Path) -> bytes | None:
    """The graph without its large 8-bit weights, to be opened with `path.parent` as the folder of external data. None where the
    file must be opened as it is: it has no such weights, or has external ones already, or is not a graph."""
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
        try:
            return _model(data, path.name)
        except (IndexError, ValueError):
            return None


def _model(data: mmap.mmap, name: str) -> bytes | None:
    parts = []
    references = 0
    for field in fields(data, 0, len(data)):
        if field.number != GRAPH:
            parts.append(data[field.begin : field.end])
            continue
        graph = []
        for inner in fields(data, field.value, field.end):
            large = inner.number == INITIALIZER and inner.end - inner.value >= LARGE
            tensor = _referenced(data, inner, name) if large else None
            references += tensor is not None
            graph.append(data[inner.begin : inner.end] if tensor is None else sized_field(INITIALIZER, tensor))
        parts.append(sized_field(GRAPH, b"".join(graph)))
    return b"".join(parts) if references else None


def _referenced(data: mmap.mmap, tensor: Field, name: str) -> bytes | None:
    """The tensor with a reference to its bytes in their place; None where it must stay. Raises ValueError where it is external
    already."""
    parts, raw, kind = [], None, 0
    for field in fields(data, tensor.value, tensor.end):
        if field.number == LOCATION:
            raise ValueError("weights are external already")
        if field.number == TYPE:
            kind = data[field.value]
        if field.number == RAW:
            raw = field
        else:
            parts.append(data[field.begin : field.end])
    if raw is None or kind not in BYTES:
        return None
    for key, value in (("location", name), ("offset", str(raw.value)), ("length", str(raw.end - raw.value))):
        parts.append(sized_field(EXTERNAL, sized_field(KEY, key.encode()) + sized_field(VALUE, value.encode())))
    return b"".join([*parts, varint(LOCATION << 3 | VARINT), varint(1)])
