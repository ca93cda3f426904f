"""Reads what an ONNX file says about itself: inputs, outputs, operators, versions; no weights, and without its library."""

import math
import mmap
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from seesay.errors import CheckpointError
from seesay.system.protobuf import SIZED, VARINT, Field, fields, read_varint

# Field numbers of onnx.proto.
GRAPH, OPSET = 7, 8  # of a model
NODE, INITIALIZER, INPUT, OUTPUT = 1, 5, 11, 12  # of a graph
OPERATOR = 4  # of a node
DIMS, TYPE, TENSOR_NAME = 1, 2, 8  # of a tensor
DOMAIN, VERSION = 1, 2  # of an opset
NAME, VALUE_TYPE = 1, 2  # of an input or output
TENSOR_TYPE = 1  # of a type
ELEMENT, SHAPE = 1, 2  # of a tensor's type
DIM = 1  # of a shape
LENGTH = 1  # of a dimension, where it is a number and not a name
TYPES = {
    **{1: "float32", 2: "uint8", 3: "int8", 4: "uint16", 5: "int16", 6: "int32", 7: "int64", 8: "string", 9: "bool"},
    **{10: "float16", 11: "float64", 16: "bfloat16", 21: "uint4", 22: "int4"},
}
LFS = b"version https://git-lfs"


@dataclass(frozen=True)
class Port:
    """An input or an output. shape: None for a dimension of any length; of unknown rank, None."""

    name: str
    dtype: str
    shape: tuple[int | None, ...] | None

    def __str__(self) -> str:
        sides = "?" if self.shape is None else ", ".join("any" if side is None else str(side) for side in self.shape)
        return f"{self.name} {self.dtype} ({sides})"


@dataclass(frozen=True)
class GraphHeader:
    """opset: the version of ONNX's own operators. numbers: how many are stored, by type."""

    file: Path
    opset: int
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    operators: frozenset[str]
    numbers: dict[str, int]


@contextmanager
def mapped(file: Path) -> Iterator[mmap.mmap]:
    """The file's bytes. Raises CheckpointError where it is empty, a pointer of Git LFS, or, while they are read, no graph."""
    try:
        with file.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
            if data[: len(LFS)] == LFS:
                raise CheckpointError(f"{file} is a Git LFS pointer, not the graph; fetch it with: git lfs pull")
            yield data
    except (OSError, IndexError, ValueError) as error:
        raise CheckpointError(f"{file} is not a graph that can be read: {error}") from None


def read_header(file: Path) -> GraphHeader:
    """The header of a graph. Raises CheckpointError."""
    with mapped(file) as data:
        opset, inputs, outputs = 0, list[Port](), list[Port]()
        operators: set[str] = set()
        stored, numbers = set[str](), Counter[str]()
        graphs = 0
        for field in fields(data, 0, len(data)):
            if field.number == OPSET and field.kind == SIZED:
                opset = max(opset, _own_opset(data, field))
            if field.number != GRAPH or field.kind != SIZED:
                continue
            graphs += 1
            for inner in fields(data, field.value, field.end):
                if inner.kind != SIZED:
                    continue
                if inner.number == NODE:
                    operators.add(text(data, inner, OPERATOR))
                elif inner.number == INITIALIZER:
                    _count(data, inner, numbers, stored)
                elif inner.number in (INPUT, OUTPUT):
                    (inputs if inner.number == INPUT else outputs).append(_port(data, inner))
        if graphs != 1 or not inputs or not outputs:
            raise ValueError("it has no graph with inputs and outputs")
    fed = tuple(port for port in inputs if port.name not in stored)  # old exporters list weights as inputs, too
    return GraphHeader(file, opset, fed, tuple(outputs), frozenset(operators), dict(numbers))


def text(data: mmap.mmap, message: Field, number: int) -> str:
    """A string in a message, the last of that number; "" where there is none."""
    found = b""
    for field in fields(data, message.value, message.end):
        if field.number == number and field.kind == SIZED:
            found = data[field.value : field.end]
    return found.decode()


def _own_opset(data: mmap.mmap, message: Field) -> int:
    """The version in an opset of ONNX's own domain; 0 for another domain."""
    return _number(data, message, VERSION) if text(data, message, DOMAIN) in ("", "ai.onnx") else 0


def _number(data: mmap.mmap, message: Field, number: int) -> int:
    found = 0
    for field in fields(data, message.value, message.end):
        if field.number == number and field.kind == VARINT:
            found = read_varint(data, field.value)[0]
    return found


def _inside(data: mmap.mmap, message: Field, number: int) -> Iterator[Field]:
    return (field for field in fields(data, message.value, message.end) if field.number == number and field.kind == SIZED)


def _count(data: mmap.mmap, tensor: Field, numbers: Counter[str], stored: set[str]) -> None:
    dims = list[int]()
    for field in fields(data, tensor.value, tensor.end):
        if field.number == DIMS and field.kind == VARINT:
            dims.append(read_varint(data, field.value)[0])
        elif field.number == DIMS and field.kind == SIZED:  # packed
            at = field.value
            while at < field.end:
                dim, at = read_varint(data, at)
                dims.append(dim)
    stored.add(text(data, tensor, TENSOR_NAME))
    numbers[_type(_number(data, tensor, TYPE))] += math.prod(dims)


def _port(data: mmap.mmap, value: Field) -> Port:
    dtype, shape = "nothing", None
    for kind in _inside(data, value, VALUE_TYPE):
        for tensor in _inside(data, kind, TENSOR_TYPE):
            dtype = _type(_number(data, tensor, ELEMENT))
            for dims in _inside(data, tensor, SHAPE):
                shape = tuple(_number(data, dim, LENGTH) or None for dim in _inside(data, dims, DIM))
    return Port(text(data, value, NAME), dtype, shape)


def _type(number: int) -> str:
    return TYPES.get(number, f"type {number}")
