"""Protocol Buffers' wire format, walked and written without their library: fields of a tag, a length and a value."""

import mmap
from collections.abc import Iterator
from typing import NamedTuple

VARINT, SIZED = 0, 2  # kinds of values
FIXED = {1: 8, 5: 4}  # and those of so many bytes


class Field(NamedTuple):
    """number, kind; begin: of its tag; value to end: of its value."""

    number: int
    kind: int
    begin: int
    value: int
    end: int


def fields(data: mmap.mmap, at: int, end: int) -> Iterator[Field]:
    """Of the message that lies there. Raises ValueError, IndexError for what is none."""
    while at < end:
        begin = at
        tag, at = read_number(data, at)
        value, kind = at, tag & 7
        if kind == VARINT:
            _, at = read_number(data, at)
        elif kind == SIZED:
            length, value = read_number(data, at)
            at = value + length
        elif kind in FIXED:
            at += FIXED[kind]
        else:
            raise ValueError("no field begins here")
        if at > end:
            raise ValueError("the field ends behind what holds it")
        yield Field(tag >> 3, kind, begin, value, at)


def read_number(data: mmap.mmap, at: int) -> tuple[int, int]:
    """(the number, where it ends): seven bits a byte, the lowest first."""
    number = shift = 0
    while True:
        byte = data[at]
        number |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return number, at
        if shift > 63:
            raise ValueError("a number of more than 64 bits")


def number(value: int) -> bytes:
    written = bytearray()
    while value > 127:
        written.append(value & 127 | 128)
        value >>= 7
    written.append(value)
    return bytes(written)


def sized(field: int, value: bytes) -> bytes:
    return number(field << 3 | SIZED) + number(len(value)) + value
