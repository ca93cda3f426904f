"""Cuts one tower out of a graph that holds both: the nodes, weights and inputs that one output depends on.

ONNX Runtime computes a graph whole, whichever output is asked for, so that each text would cost a picture.
"""

import mmap
from collections.abc import Iterator
from pathlib import Path

from seesay.checkpoints.graphs.header import GRAPH, INITIALIZER, INPUT, NAME, NODE, OUTPUT, TENSOR_NAME, mapped, text
from seesay.errors import CheckpointError
from seesay.system.protobuf import SIZED, Field, fields, varint

# Field numbers of onnx.proto, besides the header's.
NODE_INPUT, NODE_OUTPUT, ATTRIBUTE = 1, 2, 5
ATTRIBUTE_GRAPH, ATTRIBUTE_GRAPHS = 6, 11
GRAPH_NAME, SPARSE = 2, 15  # of a graph
MAX_DEPTH = 50  # of graphs in graphs


def cut(graph: Path, output: str, target: Path) -> None:
    """Writes `target`, the part of a graph that computes this output, which stays in the same folder as weights outside of it.

    Raises CheckpointError; OSError where it cannot be written.
    """
    with mapped(graph) as data:
        (whole,) = (field for field in fields(data, 0, len(data)) if field.number == GRAPH and field.kind == SIZED)
        kept = list(_kept(data, whole, output))
        length = sum(field.end - field.begin for field in kept)
        with target.open("wb") as out:
            for field in fields(data, 0, len(data)):
                if field.number != GRAPH:
                    out.write(data[field.begin : field.end])
            out.write(varint(GRAPH << 3 | SIZED) + varint(length))
            for field in kept:
                out.write(data[field.begin : field.end])


def _kept(data: mmap.mmap, whole: Field, output: str) -> Iterator[Field]:
    """The fields of a graph that belong to an output."""
    parts = list(fields(data, whole.value, whole.end))
    producers: dict[str, Field] = {}
    for part in parts:
        if part.number == NODE:
            producers.update(dict.fromkeys(_names(data, part, NODE_OUTPUT), part))
    needed, nodes, waiting = set[str](), set[int](), [output]
    while waiting:
        name = waiting.pop()
        needed.add(name)
        node = producers.get(name)
        if node is not None and node.begin not in nodes:
            nodes.add(node.begin)
            waiting += _inputs(data, node, MAX_DEPTH)
    for part in parts:
        if part.number == NODE:
            keep = part.begin in nodes
        elif part.number == INITIALIZER:
            keep = text(data, part, TENSOR_NAME) in needed
        elif part.number == INPUT:
            keep = text(data, part, NAME) in needed
        elif part.number == OUTPUT:
            keep = text(data, part, NAME) == output
        elif part.number == SPARSE:
            raise CheckpointError("its sparse weights are not known here")
        else:
            keep = part.kind != SIZED or part.number == GRAPH_NAME
        if keep:
            yield part


def _inputs(data: mmap.mmap, node: Field, depth: int) -> list[str]:
    """Names that a node reads, those of the graphs inside it included. Raises ValueError where these are nested too deeply."""
    if not depth:
        raise ValueError("its graphs are nested too deeply")
    names = _names(data, node, NODE_INPUT)
    for attribute in fields(data, node.value, node.end):
        if attribute.number != ATTRIBUTE or attribute.kind != SIZED:
            continue
        for inner in fields(data, attribute.value, attribute.end):
            if inner.number in (ATTRIBUTE_GRAPH, ATTRIBUTE_GRAPHS) and inner.kind == SIZED:
                for part in fields(data, inner.value, inner.end):
                    if part.number == NODE:
                        names += _inputs(data, part, depth - 1)
                    elif part.number == OUTPUT:
                        names.append(text(data, part, NAME))
    return names


def _names(data: mmap.mmap, message: Field, number: int) -> list[str]:
    return [
        data[field.value : field.end].decode()
        for field in fields(data, message.value, message.end)
        if field.number == number and field.kind == SIZED
    ]
