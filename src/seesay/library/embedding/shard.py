"""`Shard`: one of n equal parts of the work, the same whichever machine asks."""

import hashlib
import re
from dataclasses import dataclass

from seesay.errors import InputError

PLACE = "{i}"  # stands for the shard's number in the name of an output


@dataclass(frozen=True)
class Shard:
    """Part `number` of `count`, counted from 1."""

    number: int = 1
    count: int = 1

    @staticmethod
    def parse(text: str) -> "Shard":
        """ "3/8" -> the third of eight. Zeros in front are fine. Raises InputError."""
        match = re.fullmatch(r"\s*(\d{1,9})\s*/\s*(\d{1,9})\s*", text)
        if match is None:
            raise InputError(f"expected a shard i/n such as 3/8, the third of eight, got {text!r}")
        number, count = int(match[1]), int(match[2])
        if count == 0:
            raise InputError(f"expected at least one shard, as in 1/1, got {text!r}")
        if number == 0:
            raise InputError(
                f"shards count from 1: expected 1/{count} to {count}/{count}, got {text!r}. "
                "Where a scheduler counts from 0, add 1"
            )
        if number > count:
            raise InputError(f"expected a shard from 1/{count} to {count}/{count}, got {text!r}")
        return Shard(number, count)

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    def takes(self, name: str) -> bool:
        """Whether what has this name belongs to the shard. By a hash of the name, so that neither the order in which a disk
        lists its files nor a file that is added or removed moves the others."""
        if self.count == 1:
            return True
        digest = hashlib.sha256(name.encode("utf-8", "surrogateescape")).digest()
        return int.from_bytes(digest[:8], "big") % self.count == self.number - 1

    def takes_nth(self, position: int) -> bool:
        """Whether the thing at a position of an ordered list belongs to the shard. They are dealt in turn, evenly."""
        return position % self.count == self.number - 1

    def output(self, name: str) -> str:
        """The name of the shard's file: {i} becomes its number, with zeros in front so that names sort. Raises InputError where
        several shards would write one file."""
        if PLACE in name:
            return name.replace(PLACE, f"{self.number:0{len(str(self.count))}}")
        if self.count > 1:
            raise InputError(f"{self.count} shards would write over each other in {name}; put {PLACE} in its name")
        return name
