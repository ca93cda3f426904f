"""`Item`: a picture or a text to embed, with a key by which finished work is recognised; and `Unit`, a share of them."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple


class Item(NamedTuple):
    """A picture, or a text where `text` is set.

    path: of the picture's file, its URL, or where in an archive its bytes are; of a text the list that it is from. line: of the
    text in it, from 1. size, mtime_ns: of the file as it was listed. data: a picture's bytes, where they are read already.
    """

    path: str | None
    line: int | None = None
    text: str | None = None
    size: int | None = None
    mtime_ns: int | None = None
    data: bytes | None = None

    @property
    def key(self) -> bytes:
        """See `item_key`."""
        return item_key(self.path, self.line, self.text, self.size, self.mtime_ns)


def item_key(path: str | None, line: int | None, text: str | None, size: int | None, mtime_ns: int | None) -> bytes:
    """16 bytes: equal for the same file with the same size and time, or the same text at the same place."""
    fields = [value if value is None else str(value) for value in (path, line, text, size, mtime_ns)]
    return hashlib.blake2b(repr(fields).encode("utf-8", "surrogatepass"), digest_size=16).digest()


@dataclass(frozen=True)
class Batch:
    """Items that are listed already."""

    items: tuple[Item, ...]

    def __len__(self) -> int:
        return len(self.items)

    def read(self) -> Iterator[Item]:
        """The items."""
        return iter(self.items)
