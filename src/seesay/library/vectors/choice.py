"""`VectorChoice`: which index a library's searches use, as stored beside its database."""

import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, get_args

from seesay.errors import InputError, LibraryError
from seesay.system.files import write_atomically
from seesay.system.paths import absolute

IndexName = Literal["exact", "usearch", "usearch-f16", "milvus"]
INDEXES: tuple[IndexName, ...] = get_args(IndexName)
FILE = "vectors.json"
FILES = {"usearch": "usearch-i8-*", "usearch-f16": "usearch-f16-*", "milvus": "milvus-*.json"}  # of each index
ADDRESS = "SEESAY_MILVUS_URI"  # the variable that replaces a stored address


@dataclass(frozen=True)
class VectorChoice:
    """index: its name. milvus: for "milvus", the address of a server, or the absolute path of a Milvus Lite, ending in .db."""

    index: IndexName = "exact"
    milvus: str | None = None

    @staticmethod
    def of(index: str, milvus: str | None = None) -> "VectorChoice":
        """A choice in words. milvus: default $SEESAY_MILVUS_URI. Raises InputError where it cannot be meant."""
        expected = f"one of {', '.join(INDEXES)}"
        if index not in INDEXES:
            raise InputError(f"vectors: expected {expected}, got {index!r}", parameter="vectors", expected=expected, got=index)
        if index != "milvus":
            if milvus is not None:
                raise InputError(f"milvus: goes with vectors milvus, not with {index}", parameter="milvus", got=milvus)
            return VectorChoice(index)
        where = milvus or os.environ.get(ADDRESS)
        if not where:
            raise InputError(
                f"milvus: expected the address of a server, such as http://host:19530, here or in {ADDRESS}; or a path that "
                "ends in .db, for Milvus Lite",
                parameter="milvus",
                expected="an address",
            )
        from seesay.library.vectors.milvus import check_address

        check_address(where)
        return VectorChoice("milvus", where if "://" in where else absolute(where))

    @staticmethod
    def read(library: Path) -> "VectorChoice":
        """The choice of the library in a folder; exact where none is stored, or none that is understood."""
        try:
            stored = json.loads((library / FILE).read_bytes())
            choice = VectorChoice(stored["index"], stored["milvus"])
        except (OSError, ValueError, KeyError, TypeError):
            return EXACT
        if choice.index not in INDEXES or not isinstance(choice.milvus, str | None):
            return EXACT
        if choice.index == "milvus" and (other := os.environ.get(ADDRESS)):
            return VectorChoice.of("milvus", other)
        return choice

    def write(self, library: Path) -> None:
        """Stores the choice. Raises LibraryError."""
        try:
            write_atomically(library / FILE, json.dumps(asdict(self)))
        except OSError as error:
            raise LibraryError(f"cannot write to the library at {library}: {error.strerror or error}") from None

    def delete_others(self, library: Path) -> None:
        """Deletes what other indexes wrote beside the library's vectors; a collection in Milvus stays there."""
        for index, pattern in FILES.items():
            for file in library.glob(f"vectors/*/{pattern}") if index != self.index else ():
                with suppress(OSError):  # on Windows a reader may still map it
                    file.unlink()


EXACT = VectorChoice()
