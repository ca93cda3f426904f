"""Orders candidates into hits, by rank or by date, page by page."""

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np

from seesay.errors import InputError
from seesay.library.search.filters import EVERYTHING, Filters
from seesay.library.search.result import Hit
from seesay.library.storage.links import one_each
from seesay.library.storage.reads import Reads
from seesay.library.storage.rows import ItemFacts, LiveItem, Selection, Space
from seesay.library.vectors.index import Kind
from seesay.models.vectors import top_k
from seesay.system.paths import below

Sort = Literal["score", "newest", "oldest"]
RANK_CURSOR = re.compile(r"(-?\d{1,6}(?:\.\d+)?(?:e[+-]?\d+)?)/(\d{1,18})")
DATE_CURSOR = re.compile(r"(\d{4}-\d{2}-\d{2}(?:T[\d:]{8}(?:\.\d{1,6})?)?)?/(\d{1,18})")
FEW = 2000  # pictures: where filters leave at most so many, all of them are compared
FIRST = 256  # where they leave more, so many of the best are tested first
FURTHER = 16  # and at most so many times as many next
MANY = 20_000  # candidates that are a part of the library, up to which they are tested one by one


@dataclass(frozen=True)
class Candidates:
    """Vectors that may become hits: ids (N,) int64, ascending, their cosines (N,), and the ranks (N,) that order them.

    Some may be deleted, and filters are not applied yet.
    """

    ids: np.ndarray
    scores: np.ndarray
    ranks: np.ndarray

    def where(self, mask: np.ndarray) -> "Candidates":
        """A part of them, by a mask (N,) or by positions."""
        return Candidates(self.ids[mask], self.scores[mask], self.ranks[mask])

    def among(self, ids: np.ndarray) -> "Candidates":
        """The candidates with these ids, as far as there are such."""
        ids = np.sort(ids)
        at = np.searchsorted(self.ids, ids)
        inside = at < len(self.ids)
        at, ids = at[inside], ids[inside]
        return self.where(at[self.ids[at] == ids])


class Mark(NamedTuple):
    """The fields of a `Hit` that follow from its rank."""

    named: bool = False
    relevance: float | None = None
    likely: bool | None = None


Marking = Callable[[float], Mark]  # rank -> mark
Box = tuple[float, float, float, float]  # x0 y0 x1 y1 in pixels
Placing = Callable[[int, ItemFacts], Box | None]  # vector id, facts -> the part of the picture that fits best


def unmarked(rank: float) -> Mark:
    """The mark of hits whose rank says nothing."""
    return Mark()


def nowhere(vector: int, facts: ItemFacts) -> Box | None:
    """The place in hits of whole pictures."""
    return None


class Ranking:
    """Makes hits of candidates: applies filters, drops deleted ones and equal texts, adds facts, paths and marks.

    part: the candidates are not all vectors of the library.
    """

    def __init__(
        self,
        reads: Reads,
        space: Space,
        kind: Kind,
        filters: Filters = EVERYTHING,
        mark: Marking = unmarked,
        place: Placing = nowhere,
        *,
        part: bool = False,
    ) -> None:
        self.reads, self.space, self.kind, self.part = reads, space, kind, part
        self.filters, self.mark, self.place = filters, mark, place

    def by_score(self, candidates: Candidates, n: int, cursor: str | None = None) -> list[Hit]:
        """The n highest ranks. cursor: of a hit of this order, to continue behind it. Raises InputError for another one."""
        texts: set[str] = set()
        if cursor is not None:
            candidates, texts = self._behind(candidates, cursor)
        hits: list[Hit] = []
        for some in self._filtered(candidates, n):
            hits = self._best(some, n, texts)
            if len(hits) == n:
                break
        return hits

    def by_date(self, candidates: Candidates, n: int, *, newest: bool, cursor: str | None = None) -> list[Hit]:
        """The n newest or oldest pictures: by date, those of one moment by name; newest is the reverse of oldest.

        Those without a date come last, in the order in which they were indexed. cursor: of a hit of this order.
        """
        selection = self.reads.select(self.filters, self.space, "image", among=candidates.ids)
        date, last = ("", None) if cursor is None else _moment(cursor)
        if last is not None:
            selection = selection.where(_not_before(selection, date, last, newest=newest))
        vectors, dates = selection.vectors, selection.taken_at
        ranks = np.unique(dates, return_inverse=True)[1]
        ranks = np.where(dates == "", len(dates), -ranks if newest else ranks)
        order = np.lexsort((vectors, ranks))
        same = int((dates == date).sum()) if date else 0  # pictures of the cursor's moment, some of which were shown before
        order = _by_name(self.reads, selection, order, same + n, newest=newest)
        if same:
            order = _after(vectors, order, same, last, newest=newest)
        order = order[:n]
        chosen = candidates.where(np.searchsorted(candidates.ids, vectors[order]))
        return self._hits(chosen, set(), lambda facts, rank, vector: f"{facts.taken_at or ''}/{vector}")

    def _filtered(self, candidates: Candidates, n: int) -> Iterator[Candidates]:
        """Candidates that pass the filters. Selective filters are resolved first; otherwise the highest ranks are tested first,
        and more of them as needed."""
        filters = self.filters
        conditional = any(filters.conditions())
        if not conditional and filters.folder is None:
            yield candidates
            return
        # Names have no index: to count the names that contain something is to read all of them.
        few = None
        if not filters.names and not filters.other_names:
            few = self.reads.select_few(filters, self.space, self.kind, FEW)
        if few is not None:
            yield candidates.among(few)
            return
        yield from self._widening(candidates, n, conditional=conditional)

    def _widening(self, candidates: Candidates, n: int, *, conditional: bool) -> Iterator[Candidates]:
        """Candidates that pass: of the best, then of more, then all. conditional: there are other filters than the folder."""
        reads, filters = self.reads, self.filters
        elsewhere = replace(filters, under=None)  # the folder is tested by the files of the best few, which is faster
        take = FIRST
        while True:
            best = candidates.where(np.sort(top_k(candidates.ranks, take)))
            if conditional:
                best = best.among(reads.select(elsewhere, self.space, self.kind, among=best.ids).vectors)
            if filters.folder is not None:
                best = best.among(reads.vectors_in_folder(best.ids, filters.folder))
            yield best
            if take >= len(candidates.ids):
                return
            expected = 2 * FIRST * n // max(len(best.ids), 1)  # among so many there should be enough
            if take > FIRST or expected > FIRST * FURTHER or filters.folder is not None:
                break
            take = max(expected, 2 * FIRST)
        among = candidates.ids if self.part and len(candidates.ids) <= MANY else None
        yield candidates.among(reads.select(filters, self.space, self.kind, among=among).vectors)

    def _best(self, candidates: Candidates, n: int, texts: set[str]) -> list[Hit]:
        """The n highest ranks. Deleted candidates and equal texts drop out, so more are tried until there are enough."""
        take = n + 8
        while True:
            best = candidates.where(top_k(candidates.ranks, take))
            hits = self._hits(best, texts, lambda facts, rank, vector: f"{rank:.9g}/{vector}")
            if len(hits) >= n or take >= len(candidates.ids):
                return hits[:n]
            take *= 4

    def _hits(self, candidates: Candidates, texts: set[str], cursor: Callable[[ItemFacts, float, int], str]) -> list[Hit]:
        """Hits in the order of the candidates; of equal texts the first, and none of `texts`, which were shown before."""
        items = self.reads.items(candidates.ids.tolist(), self.filters)
        hits, texts = list[Hit](), set(texts)
        rows = zip(candidates.ids.tolist(), candidates.scores.tolist(), candidates.ranks.tolist(), strict=True)
        for vector, score, rank in rows:
            item = items.get(vector)
            if item is None or (item.facts.text is not None and item.facts.text in texts):
                continue
            texts.add(item.facts.text or "")
            cursor_here, box = cursor(item.facts, rank, vector), self.place(vector, item.facts)
            hits.append(_hit(item, score, cursor_here, self.filters.folder, self.mark(rank), box))
        return hits

    def _behind(self, candidates: Candidates, cursor: str) -> tuple[Candidates, set[str]]:
        """The candidates after a cursor, and the texts before it that have the same rank."""
        match = RANK_CURSOR.fullmatch(cursor)
        if match is None:
            raise InputError(
                f"expected the cursor of a hit of the same search, such as 0.312/17, got {cursor!r}",
                parameter="cursor",
                expected="the cursor of a hit of the same search",
                got=cursor,
            )
        ids, ranks, vector = candidates.ids, candidates.ranks, int(match[2])
        # Its rank as it is now, unless it was deleted since: the same product over more rows may end in another digit.
        own = ranks[ids == vector]
        rank = own[0] if len(own) else np.float32(match[1])
        before = ids[(ranks == rank) & (ids <= vector)]
        items = self.reads.items(before.tolist(), EVERYTHING).values()
        texts = {item.facts.text for item in items if item.facts.text is not None}
        return candidates.where((ranks < rank) | ((ranks == rank) & (ids > vector))), texts


def _moment(cursor: str) -> tuple[str, int]:
    """The date and the vector id in a cursor."""
    match = DATE_CURSOR.fullmatch(cursor)
    if match is None:
        raise InputError(
            f"expected the cursor of a hit of the same search by date, such as 2024-05-17T18:30:05/17, got {cursor!r}",
            parameter="cursor",
            expected="the cursor of a hit of the same search by date",
            got=cursor,
        )
    return match[1] or "", int(match[2])


def _not_before(selection: Selection, date: str, last: int, *, newest: bool) -> np.ndarray:
    """A mask (N,) of vectors of the cursor's moment or after it."""
    dates = selection.taken_at
    if not date:
        return np.asarray((dates == "") & (selection.vectors > last))
    return np.asarray((dates == date) | (dates == "") | ((dates < date) if newest else (dates > date)))


def _by_name(reads: Reads, selection: Selection, order: np.ndarray, enough: int, *, newest: bool) -> np.ndarray:
    """The first positions of the order, at least so many and whole moments, with those of one moment sorted by name."""
    dates = selection.taken_at[order]
    end = min(enough, len(order))
    while 0 < end < len(order) and dates[end] and dates[end] == dates[end - 1]:
        end += 1
    dated = np.flatnonzero(dates[:end] != "")
    if len(set(dates[dated].tolist())) < len(dated):
        names = reads.name_keys(selection.contents[order[dated]].tolist())
        keyed = [(dates[at], names.get(int(selection.contents[order[at]]), ""), order[at]) for at in dated.tolist()]
        keyed.sort(key=lambda each: (each[0], each[1], selection.vectors[each[2]]), reverse=newest)
        order = np.concatenate([np.array([at for _, _, at in keyed], dtype=order.dtype), order[len(dated) :]])
    return order[:end]


def _after(vectors: np.ndarray, order: np.ndarray, same: int, last: int | None, *, newest: bool) -> np.ndarray:
    """The order behind the cursor's vector, which is among the first `same` unless it was deleted since."""
    at = np.flatnonzero(vectors[order[:same]] == last)
    if len(at):
        return order[int(at[0]) + 1 :]
    remaining = vectors[order[:same]] < last if newest else vectors[order[:same]] > last
    return np.concatenate([order[:same][remaining], order[same:]])


def _hit(item: LiveItem, score: float, cursor: str, folder: str | None, mark: Mark, box: Box | None) -> Hit:
    """A hit with the file to show: one below the folder that can be seen now, if there is one."""
    paths = item.paths
    inside = [path for path in paths if folder is None or below(path, folder) is not None]
    files = one_each([*inside, *(path for path in paths if path not in inside)] if len(paths) > 1 else paths)
    path = next((path for path in inside if files.get(path)), inside[0])
    copies = tuple(other for other in files if other != path)
    return Hit(
        score=None if math.isnan(score) else score,
        path=path,
        copies=copies,
        available=files[path],
        cursor=cursor,
        box=box,
        **mark._asdict(),
        **vars(item.facts),
    )
