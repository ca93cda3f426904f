"""Counts of many kinds of thing in bounded memory: the rare ones are forgotten, and it is known how much is missing."""

from collections import Counter
from collections.abc import Iterable


class BoundedCounts(Counter[str]):
    """Counts of strings, of which at most about `limit` are kept.

    When there are more, those that occurred least are dropped until half of the limit is left (after lossy counting, Manku and
    Motwani 2002). A count may then be too low, by at most `missing`; what occurred more often than that is never absent.
    """

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.limit = limit
        self.missing = 0

    def add(self, things: Iterable[str]) -> None:
        """Counts things, and drops the rarest where there are too many kinds."""
        self.update(things)
        if len(self) > self.limit:
            self._drop()

    def _drop(self) -> None:
        of_count = Counter(self.values())
        left, most = len(self), 0
        for count in sorted(of_count):
            if left <= self.limit // 2:
                break
            left, most = left - of_count[count], count
        for thing in [thing for thing, count in self.items() if count <= most]:
            del self[thing]
        self.missing += most
