"""The wire format of Protocol Buffers, read and written without their library."""

import mmap
from collections.abc import Iterator
from typing import NamedTuple

VARINT = 0  # wire types
SIZED = 2
FIXED = {1: 8, 5: 4}  # wire type -> bytes of its values


class Field(NamedTuple):
    """A field of a message. kind: its wire type. begin: offset of its tag. value, end: offsets of its value."""

    number: int
    kind: int
    begin: int
    value: int
    end: int


def fields(data: mmap.mmap, at: int, end: int) -> Iterator[Field]:
    """The fields of the message between two offsets. Raises ValueError, IndexError for bytes that are no message."""
    while at < end:
        begin = at
        tag, at = read_varint(data, at)
        value, kind = at, tag & 7
        if kind == VARINT:
            _, at = read_varint(data, at)
        elif kind == SIZED:
            length, value = read_varint(data, at)
            at = value + length
        elif kind in FIXED:
            at += FIXED[kind]
        else:
            raise ValueError("no field begins here")
        if at > end:
            raise ValueError("the field ends behind what holds it")
        yield Field(tag >> 3, kind, begin, value, at)


def read_varint(data: mmap.mmap, at: int) -> tuple[int, int]:
    """(number, offset behind it) of a varint: seven bits a byte, the lowest first. Raises ValueError, IndexError."""
    number = shift = 0
    while True:
        byte = data[at]
        number |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return number, at
        if shift > 63:
            raise ValueError("a number of more than 64 bits")


def varint(value: int) -> bytes:
    """A number as a varint."""
    data = bytearray()
    while value > 127:
        data.append(value & 127 | 128)
        value >>= 7
    data.append(value)
    return bytes(data)


def sized_field(number: int, value: bytes) -> bytes:
    """A field of bytes, a string or a message."""
    return varint(number << 3 | SIZED) + varint(len(value)) + value
