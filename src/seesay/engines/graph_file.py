"""A graph's file read for its structure alone: its large weights stay where they are, for ONNX Runtime to map into memory.

Opened by its path, a graph of 25 MB is parsed and its weights are copied, which is more than a third of the time that opening
takes. So what is handed over says of every large weight where in this same file it lies (ONNX's external data).
"""

import mmap
from pathlib import Path

from seesay.system.protobuf import VARINT, Field, fields, sized_field, varint

LARGE = 1 << 14  # bytes of a weight that is worth it
BYTES = (2, 3)  # ONNX's types uint8 and int8: others would have to lie at addresses that are multiples of their size
# Numbers of fields: of a model, of a graph, of a tensor, of an entry.
GRAPH, INITIALIZER = 7, 5
TYPE, RAW, EXTERNAL, LOCATION = 2, 9, 13, 14
KEY, VALUE = 1, 2


def structure(path: Path) -> bytes | None:
    """The graph without its large 8-bit weights, to be opened with `path.parent` as the folder of external data. None where
    there are none, where weights lie outside already, and where the file is not a graph: it is then to be opened as it is."""
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
        try:
            return _model(data, path.name)
        except (IndexError, ValueError):
            return None


def _model(data: mmap.mmap, name: str) -> bytes | None:
    parts = []
    moved = 0
    for field in fields(data, 0, len(data)):
        if field.number != GRAPH:
            parts.append(data[field.begin : field.end])
            continue
        graph = []
        for inner in fields(data, field.value, field.end):
            large = inner.number == INITIALIZER and inner.end - inner.value >= LARGE
            tensor = _outside(data, inner, name) if large else None
            moved += tensor is not None
            graph.append(data[inner.begin : inner.end] if tensor is None else sized_field(INITIALIZER, tensor))
        parts.append(sized_field(GRAPH, b"".join(graph)))
    return b"".join(parts) if moved else None


def _outside(data: mmap.mmap, tensor: Field, name: str) -> bytes | None:
    """The tensor with the place of its bytes in place of them; None of one that has to stay. Raises ValueError where it lies
    outside already."""
    kept, raw, kind = [], None, 0
    for field in fields(data, tensor.value, tensor.end):
        if field.number == LOCATION:
            raise ValueError("weights lie outside")
        if field.number == TYPE:
            kind = data[field.value]
        if field.number == RAW:
            raw = field
        else:
            kept.append(data[field.begin : field.end])
    if raw is None or kind not in BYTES:
        return None
    for key, value in (("location", name), ("offset", str(raw.value)), ("length", str(raw.end - raw.value))):
        kept.append(sized_field(EXTERNAL, sized_field(KEY, key.encode()) + sized_field(VALUE, value.encode())))
    return b"".join([*kept, varint(LOCATION << 3 | VARINT), varint(1)])
