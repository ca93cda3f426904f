"""From ranks to hits: the nearest first, or by date, page by page."""

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np

from seesay.errors import InputError
from seesay.library.search.filters import Filters
from seesay.library.search.result import Hit
from seesay.library.storage.links import one_each
from seesay.library.storage.reads import FoundItem, Passing, Reads, Space
from seesay.models.vectors import top_k
from seesay.system.paths import below

Sort = Literal["score", "newest", "oldest"]
EVERYTHING = Filters()
BY_SCORE = re.compile(r"(-?\d{1,6}(?:\.\d+)?(?:e[+-]?\d+)?)/(\d{1,18})")
BY_DATE = re.compile(r"(\d{4}-\d{2}-\d{2}(?:T[\d:]{8}(?:\.\d{1,6})?)?)?/(\d{1,18})")
FEW = 2000  # pictures: where filters let at most so many through, all of them are compared
FIRST, FURTHER = 256, 16  # places that are looked at first where they let through more, and how many times as many next


@dataclass(frozen=True)
class Candidates:
    """ids (N,) int64, ascending, cosines (N,) of vectors, and the ranks (N,) by which they are ordered; some may be forgotten,
    some held back by filters."""

    ids: np.ndarray
    scores: np.ndarray
    ranks: np.ndarray

    def where(self, which: np.ndarray) -> "Candidates":
        return Candidates(self.ids[which], self.scores[which], self.ranks[which])

    def among(self, ids: np.ndarray) -> "Candidates":
        """Those of them that are here."""
        wanted = np.sort(ids)
        at = np.searchsorted(self.ids, wanted)
        there = at < len(self.ids)
        at, wanted = at[there], wanted[there]
        return self.where(at[self.ids[at] == wanted])


class Mark(NamedTuple):
    """What a hit says of its rank, as `Hit` has it."""

    named: bool = False
    relevance: float | None = None
    likely: bool | None = None


Marking = Callable[[float], Mark]


def unmarked(rank: float) -> Mark:
    return Mark()


def by_score(
    reads: Reads, space: Space, found: Candidates, n: int, filters: Filters, kind: str, cursor: str | None, mark: Marking
) -> list[Hit]:
    """The n best live ones that pass."""
    seen: set[str] = set()
    if cursor is not None:
        found, seen = _behind(reads, found, cursor)
    hits: list[Hit] = []
    for some in _narrowed(reads, space, found, n, filters, kind):
        hits = _best(reads, some, n, filters, seen, mark)
        if len(hits) == n:
            break
    return hits


def _narrowed(reads: Reads, space: Space, found: Candidates, n: int, filters: Filters, kind: str) -> Iterator[Candidates]:
    """The candidates that filters let through. Where those are few, all of them; where they are many, the best have some, so at
    first it looks among them only."""
    conditional = any(filters.conditions())
    if not conditional and filters.folder is None:
        yield found
        return
    # Names have no index: to count those that hold something is to read all of them.
    few = None if filters.names or filters.other_names else reads.few(filters, space, kind, FEW)
    if few is not None:
        yield found.among(few)
        return
    elsewhere = replace(filters, under=None)  # the files of the best few tell the folder sooner than the folder tells its files
    take = FIRST
    while True:
        best = found.where(np.sort(top_k(found.ranks, take)))
        if conditional:
            best = best.among(reads.passing(elsewhere, space, kind, among=best.ids).vectors)
        if filters.folder is not None:
            best = best.among(reads.inside(best.ids, filters.folder))
        yield best
        if take >= len(found.ids):
            return
        wanted = 2 * FIRST * n // max(len(best.ids), 1)  # among so many there should be enough
        if take > FIRST or wanted > FIRST * FURTHER or filters.folder is not None:
            break
        take = max(wanted, 2 * FIRST)
    yield found.among(reads.passing(filters, space, kind).vectors)


def _best(reads: Reads, found: Candidates, n: int, filters: Filters, seen: set[str], mark: Marking) -> list[Hit]:
    """Forgotten ones and equal texts drop out on the way, so it looks further until there are enough."""
    take = n + 8
    while True:
        best = found.where(top_k(found.ranks, take))
        hits = _live(reads, best, filters, seen, lambda item, rank, vector: f"{rank:.9g}/{vector}", mark)
        if len(hits) >= n or take >= len(found.ids):
            return hits[:n]
        take *= 4


def by_date(
    reads: Reads,
    space: Space,
    found: Candidates,
    n: int,
    filters: Filters,
    *,
    newest: bool,
    cursor: str | None,
    mark: Marking = unmarked,
) -> list[Hit]:
    """The n newest or oldest pictures among the candidates that pass: by date, of one moment by name, and newest is oldest
    reversed; those without a date at the end, in order of indexing. cursor: None, or of a hit of these."""
    passing = reads.passing(filters, space, "image", among=found.ids)
    date, last = ("", None) if cursor is None else _moment(cursor)
    if last is not None:
        passing = passing.where(_not_before(passing, date, last, newest=newest))
    vectors, dates = passing.vectors, passing.taken_at
    ranks = np.unique(dates, return_inverse=True)[1]
    ranks = np.where(dates == "", len(dates), -ranks if newest else ranks)
    order = np.lexsort((vectors, ranks))
    same = int((dates == date).sum()) if date else 0  # of the cursor's moment, some of which were shown before
    order = _by_name(reads, passing, order, same + n, newest=newest)
    if same:
        order = _after(vectors, order, same, last, newest=newest)
    order = order[:n]
    shown = found.where(np.searchsorted(found.ids, vectors[order]))
    return _live(reads, shown, filters, set(), lambda item, rank, vector: f"{item.taken_at or ''}/{vector}", mark)


def _live(
    reads: Reads,
    shown: Candidates,
    filters: Filters,
    seen: set[str],
    cursor: Callable[[FoundItem, float, int], str],
    mark: Marking,
) -> list[Hit]:
    """Hits in the order of the candidates, without equal texts."""
    items = reads.items(shown.ids.tolist(), filters)
    hits, texts = list[Hit](), set(seen)
    rows = zip(shown.ids.tolist(), shown.scores.tolist(), shown.ranks.tolist(), strict=True)
    for vector, score, rank in rows:
        item, paths = items.get(vector, (None, []))
        if item is None or (item.text is not None and item.text in texts):
            continue
        texts.add(item.text or "")
        hits.append(_hit(item, paths, score, cursor(item, rank, vector), filters.folder, mark(rank)))
    return hits


def _behind(reads: Reads, found: Candidates, cursor: str) -> tuple[Candidates, set[str]]:
    """What comes after a cursor, and the texts before it that have the same score."""
    said = BY_SCORE.fullmatch(cursor)
    if said is None:
        raise InputError(
            f"expected the cursor of a hit of the same search, such as 0.312/17, got {cursor!r}",
            parameter="cursor",
            expected="the cursor of a hit of the same search",
            got=cursor,
        )
    ids, ranks, vector = found.ids, found.ranks, int(said[2])
    # As it is now: the same product over more rows may come out another last digit. It may also be forgotten since.
    own = ranks[ids == vector]
    rank = own[0] if len(own) else np.float32(said[1])
    before = ids[(ranks == rank) & (ids <= vector)]
    texts = {item.text for item, _ in reads.items(before.tolist(), EVERYTHING).values() if item.text is not None}
    return found.where((ranks < rank) | ((ranks == rank) & (ids > vector))), texts


def _moment(cursor: str) -> tuple[str, int]:
    """The date and the vector of a cursor."""
    parts = BY_DATE.fullmatch(cursor)
    if parts is None:
        raise InputError(
            f"expected the cursor of a hit of the same search by date, such as 2024-05-17T18:30:05/17, got {cursor!r}",
            parameter="cursor",
            expected="the cursor of a hit of the same search by date",
            got=cursor,
        )
    return parts[1] or "", int(parts[2])


def _not_before(passing: Passing, date: str, last: int, *, newest: bool) -> np.ndarray:
    """Which of (N,) are of the cursor's moment or come after it."""
    dates = passing.taken_at
    if not date:
        return np.asarray((dates == "") & (passing.vectors > last))
    return np.asarray((dates == date) | (dates == "") | ((dates < date) if newest else (dates > date)))


def _by_name(reads: Reads, passing: Passing, order: np.ndarray, enough: int, *, newest: bool) -> np.ndarray:
    """The first of the order, at least so many and whole moments, with those of one moment in order of their names."""
    dates = passing.taken_at[order]
    end = min(enough, len(order))
    while 0 < end < len(order) and dates[end] and dates[end] == dates[end - 1]:
        end += 1
    tied = np.flatnonzero(dates[:end] != "")
    if len(set(dates[tied].tolist())) < len(tied):
        names = reads.name_keys(passing.contents[order[tied]].tolist())
        keyed = [(dates[at], names.get(int(passing.contents[order[at]]), ""), order[at]) for at in tied.tolist()]
        keyed.sort(key=lambda each: (each[0], each[1], passing.vectors[each[2]]), reverse=newest)
        order = np.concatenate([np.array([at for _, _, at in keyed], dtype=order.dtype), order[len(tied) :]])
    return order[:end]


def _after(vectors: np.ndarray, order: np.ndarray, same: int, last: int | None, *, newest: bool) -> np.ndarray:
    """The order behind a cursor's vector, which is among the first `same`, if it was not forgotten since."""
    here = np.flatnonzero(vectors[order[:same]] == last)
    if len(here):
        return order[int(here[0]) + 1 :]
    left = vectors[order[:same]] < last if newest else vectors[order[:same]] > last
    return np.concatenate([order[:same][left], order[same:]])


def _hit(item: FoundItem, paths: list[str], score: float, cursor: str, folder: str | None, mark: Mark) -> Hit:
    inside = [path for path in paths if folder is None or below(path, folder) is not None]
    files = one_each([*inside, *(path for path in paths if path not in inside)] if len(paths) > 1 else paths)
    path = next((path for path in inside if files.get(path)), inside[0])
    copies = tuple(other for other in files if other != path)
    facts = item._asdict() | mark._asdict() | {"tags": tuple(item.tags.split("\n")) if item.tags else ()}
    shown = None if math.isnan(score) else score
    return Hit(score=shown, path=path, copies=copies, available=files[path], cursor=cursor, **facts)
