"""Searches a library: compares, filters and ranks pictures or texts, and marks the unlikely hits."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from seesay.errors import InputError
from seesay.library.search.background import NEAREST, corrections, search_spec
from seesay.library.search.encode import EncodedQuery, PartVectors, encode_query
from seesay.library.search.filters import EVERYTHING, Filters, tag_key
from seesay.library.search.names import contents_named, name_key
from seesay.library.search.pool import ALL, Pool, enough, pools
from seesay.library.search.query import Part, Query
from seesay.library.search.ranking import RANK_CURSOR, Box, Candidates, Mark, Ranking, Sort
from seesay.library.search.regions import lifted, place
from seesay.library.search.relevance import Relevance
from seesay.library.search.result import Hit, SearchResult, WhyEmpty
from seesay.library.storage.rows import ItemFacts, Space
from seesay.library.storage.store import Store
from seesay.library.vectors.index import KINDS, Kind
from seesay.library.vectors.view import Vectors
from seesay.models.vectors import top_k

if TYPE_CHECKING:
    from seesay.images.read import ImageInput
    from seesay.library.session import Session

Score = Literal["rank", "cosine"]
SORTS = get_args(Sort)
NAMED = np.float32(100)  # above any rank: pictures with the query as their very name come first
DATED = 100  # by date: so many of the nearest pictures, where no relevance says which are likely, come before the others


@dataclass(frozen=True)
class Options:
    """How many hits of which kind, in what order.

    likely: only hits that are likely to show what a query in words says. score "cosine": ordered by the cosine alone, without
    correction by the library's background. exact: compared with every picture, whichever index the library has.
    """

    n: int = 10
    filters: Filters = EVERYTHING
    kind: Kind = "image"
    sort: Sort = "score"
    cursor: str | None = None
    likely: bool = False
    score: Score = "rank"
    exact: bool = False

    def __post_init__(self) -> None:
        if self.n < 1:
            raise InputError(f"n must be at least 1, got {self.n}", parameter="n", expected="at least 1", got=self.n)
        for name, value, choices in (("kind", self.kind, KINDS), ("score", self.score, get_args(Score))):
            if value not in choices:
                raise InputError(
                    f"{name} is {choices[0]!r} or {choices[1]!r}, got {value!r}",
                    parameter=name,
                    expected=f"{choices[0]!r} or {choices[1]!r}",
                    got=value,
                )
        if self.sort not in SORTS:
            raise InputError(
                f"sort is one of {', '.join(map(repr, SORTS))}, got {self.sort!r}",
                parameter="sort",
                expected=f"one of {', '.join(map(repr, SORTS))}",
                got=self.sort,
            )
        if self.sort != "score" and self.kind == "text":
            raise InputError(
                f"sort={self.sort!r}: texts have no date; only pictures can be sorted by it",
                parameter="sort",
                expected="'score'",
                got=self.sort,
            )


def search(
    session: "Session",
    query: Query | None,
    options: Options,
    image: "ImageInput | None" = None,
    vectors: PartVectors | None = None,
) -> SearchResult:
    """The hits of a query, an image, or both; without either, what passes the filters, by date. As `Library.search`."""
    parts = () if query is None else query.parts
    names = [part for part in parts if part.kind == "name"]
    terms = [part for part in parts if part.kind != "name"]
    narrowed = replace(options, filters=_with_names(options.filters, names))
    session.require_space()  # before anything is encoded: in a library of another model that would be for nothing
    session.store.check_tags(narrowed.filters)
    if terms or image is not None:
        result = search_encoded(session, encode_query(session, terms, image, vectors), narrowed)
    else:
        result = _browse(session, narrowed)
    if result.why_empty is None:
        return result
    why = result.why_empty._replace(filters=options.filters, names=tuple(part.value for part in names))
    return replace(result, why_empty=why)


def search_encoded(session: "Session", query: EncodedQuery, options: Options) -> SearchResult:
    """The hits of a query's vectors."""
    store, space = session.store, session.space
    if query.terms.positive.shape != (space.dim,):
        raise InputError(f"expected a vector ({space.dim},), got an array {query.terms.positive.shape}")
    vectors, named = session.vectors(options.kind), np.empty(0, dtype=np.int64)
    if query.name is not None and options.kind == "image":
        named = _named(store, space, query.name)
    for pool in _pools(session, vectors, query, options, named):
        result = _found(session, vectors, pool, query, options, named)
        if result is not None:
            return result
    raise AssertionError("the last pool is all pictures, in which a search ends")


def _pools(session: "Session", vectors: Vectors, query: EncodedQuery, options: Options, named: np.ndarray) -> Iterator[Pool]:
    """The pools in which the hits are looked for, one after the other; only all of them where that needs every picture: an
    order by date, windows of pictures, and negative terms that are measured by the whole library."""
    corrected = _is_corrected(query, options)
    spread = bool(query.terms.negative) and not corrected
    if session.index.name == "exact" or options.exact or options.sort != "score" or spread:
        return iter([ALL])
    if corrected and session.region_vectors() is not None:
        return iter([ALL])
    return pools(session, vectors, options.kind, query.terms.positive, options.filters, named)


def _found(
    session: "Session", vectors: Vectors, pool: Pool, query: EncodedQuery, options: Options, named: np.ndarray
) -> SearchResult | None:
    """The hits among a pool; None where others may come before them."""
    candidates, relevance, windows = _candidates(session, vectors, pool, query, options)
    least_score = options.filters.min_score
    complete = pool.complete or (least_score is not None and pool.least < least_score)
    floor = -math.inf  # no picture outside the pool has a higher rank
    if pool.at is not None:
        wanted = enough(options.n, candidates.ranks, options.cursor)
        if _is_corrected(query, options):
            larger = pool.with_bound(_bounds(session, vectors, query, pool.least), candidates.ranks, wanted)
            if larger is None:
                return None
            if larger is not pool:
                candidates, relevance, windows = _candidates(session, vectors, larger, query, options)
            if wanted <= len(candidates.ids):
                floor = float(np.sort(candidates.ranks)[-wanted])
        else:
            floor = pool.least
        if not complete:
            candidates = candidates.where(candidates.ranks >= floor)
    if len(named):
        candidates = replace(candidates, ranks=candidates.ranks + NAMED * np.isin(candidates.ids, named))
    likely = candidates
    if least_score is not None:
        candidates = likely = candidates.where(candidates.scores >= least_score)
    if options.likely and relevance is not None:
        likely = candidates.where(_is_likely(relevance, candidates.ranks))
    mark, box = partial(_mark, relevance), partial(_place, session, windows)
    part = pool.at is not None
    ranking = Ranking(session.store, session.space, options.kind, options.filters, mark, box, part=part)
    hits = _ordered(ranking, likely, relevance, options)
    if options.likely and relevance is not None:
        complete = complete or floor <= relevance.threshold
    if len(hits) < options.n and not complete:
        return None
    unlikely = not hits and likely is not candidates and bool(ranking.by_score(candidates, 1))
    return replace(_result(hits, options, unlikely=unlikely), answered_by=session.index.name if part else "exact")


def _is_corrected(query: EncodedQuery, options: Options) -> bool:
    """Whether ranks are corrected cosines: of words, among pictures."""
    return query.form is not None and options.kind == "image" and options.score == "rank"


def _bounds(session: "Session", vectors: Vectors, query: EncodedQuery, least: float) -> np.ndarray:
    """(N,): the rank that each picture would have with this cosine; negative terms only lower it."""
    assert query.form is not None
    statistics, correction = session.phrase_statistics(vectors), corrections(search_spec(session.model))[query.form]
    return correction.ranks(np.full(1, least, dtype=np.float32), statistics.hubs, statistics.spreads)


def _candidates(
    session: "Session", vectors: Vectors, pool: Pool, query: EncodedQuery, options: Options
) -> tuple[Candidates, Relevance | None, Mapping[int, int]]:
    """The pool's vectors with their ranks, the query's relevance (None where phrases say nothing about it), and by vector id
    the number of the window that is nearer than its picture."""
    some, terms = pool.vectors(vectors), query.terms
    scores, negative = some.cosines(terms.positive), [some.cosines(vector) for vector, _ in terms.negative]
    if not _is_corrected(query, options) or not len(scores):
        ranks = scores - terms.penalty_by_spread(scores, negative) if negative and len(scores) else scores
        return Candidates(some.ids, scores, ranks), None, {}
    assert query.form is not None
    statistics, correction = session.phrase_statistics(vectors), corrections(search_spec(session.model))[query.form]
    if pool.at is not None:
        statistics = statistics.at(pool.at)
    hubs, spreads = statistics.hubs, statistics.spreads
    ranks, *deviations = (correction.ranks(cosines, hubs, spreads) for cosines in (scores, *negative))
    nearest = _nearest(session.store, some.ids, ranks)
    typical = correction.typical(hubs[nearest], spreads[nearest])
    relevance = statistics.relevance(query.form, query.scale, ranks[nearest], typical)
    lift = lifted(session, terms.positive, some.ids, scores)
    if lift.windows:  # after relevance, which only whole pictures decide: its null distribution is theirs
        ranks = correction.ranks(lift.cosines, hubs, spreads)
    candidates = Candidates(some.ids, scores, ranks - terms.penalty(deviations) if deviations else ranks)
    return candidates, relevance, lift.windows


def _nearest(store: Store, ids: np.ndarray, ranks: np.ndarray) -> np.ndarray:
    """Positions of the nearest live pictures, the nearest first: the highest ranks may be those of deleted ones."""
    take, live = 0, np.empty(0, dtype=np.intp)
    while len(live) < NEAREST and take < len(ids):
        take = NEAREST * take or NEAREST
        nearest = top_k(ranks, take)
        live = nearest[store.live(ids[nearest])][:NEAREST]
    return live


def _ordered(ranking: Ranking, candidates: Candidates, relevance: Relevance | None, options: Options) -> list[Hit]:
    """Hits by rank; or first the likely ones by date (the nearest ones, if there is no relevance), then the rest by rank."""
    n, cursor = options.n, options.cursor
    if options.sort == "score":
        return ranking.by_score(candidates, n, cursor)
    if options.filters.min_score is not None:
        first = np.ones(len(candidates.ids), dtype=bool)
    elif relevance is not None:
        first = _is_likely(relevance, candidates.ranks)
    else:
        first = np.zeros(len(candidates.ids), dtype=bool)
        first[top_k(candidates.ranks, DATED)] = True
    hits: list[Hit] = []
    in_rest = cursor is not None and RANK_CURSOR.fullmatch(cursor) is not None
    if not in_rest:
        hits = ranking.by_date(candidates.where(first), n, newest=options.sort == "newest", cursor=cursor)
    if len(hits) < n:
        hits += ranking.by_score(candidates.where(~first), n - len(hits), cursor if in_rest else None)
    return hits


def _browse(session: "Session", options: Options) -> SearchResult:
    """All pictures that pass the filters, by date: there is no query."""
    if options.kind == "text":
        raise InputError("texts are found by words or a picture; say what to look for")
    if options.filters.min_score is not None:
        raise InputError(
            "min_score: nothing is searched for, so nothing has a score", parameter="min_score", got=options.filters.min_score
        )
    ids = session.vectors("image").ids
    unknown = np.full(len(ids), np.nan, dtype=np.float32)
    candidates = Candidates(ids, unknown, np.zeros(len(ids), dtype=np.float32))
    ranking = Ranking(session.store, session.space, "image", options.filters)
    hits = ranking.by_date(candidates, options.n, newest=options.sort != "oldest", cursor=options.cursor)
    return _result(hits, options)


def _result(hits: Sequence[Hit], options: Options, *, unlikely: bool = False) -> SearchResult:
    """unlikely: there are hits, but none that is likely."""
    if hits:
        return SearchResult(tuple(hits), hits[-1].cursor if len(hits) == options.n else None)
    if options.cursor is not None:
        return SearchResult((), None, WhyEmpty("end", options.kind))
    if unlikely:
        return SearchResult((), None, WhyEmpty("likely", options.kind))
    return SearchResult((), None, WhyEmpty("library" if options.filters == EVERYTHING else "filters", options.kind))


def _is_likely(relevance: Relevance, ranks: np.ndarray) -> np.ndarray:
    """(N,) -> mask (N,): likely ones, and those whose name is the query."""
    return np.asarray(ranks >= min(relevance.threshold, NAMED / 2))


def _mark(relevance: Relevance | None, rank: float) -> Mark:
    named = rank >= float(NAMED) / 2
    if relevance is None:
        return Mark(named)
    rank -= float(NAMED) * named
    return Mark(named, round(relevance.probability(rank), 3), named or rank >= relevance.threshold)


def _place(session: "Session", windows: Mapping[int, int], vector: int, facts: ItemFacts) -> Box | None:
    if vector not in windows or not facts.width or not facts.height:
        return None
    return place(session, vector, windows[vector], facts.width, facts.height)


def _with_names(filters: Filters, parts: Sequence[Part]) -> Filters:
    """The filters, with a query's `name:` parts among them."""
    for part in parts:
        if not name_key(part.value):
            raise part.fault("expected a part of a file's or folder's name, with a letter or digit in it")
    names = tuple(part.value for part in parts if part.weight > 0)
    other_names = tuple(part.value for part in parts if part.weight < 0)
    return replace(filters, name=filters.names + names or None, not_name=filters.other_names + other_names or None)


def _named(store: Store, space: Space, words: str) -> np.ndarray:
    """Vector ids (N,) of the pictures whose own name, that of a folder above them, or a tag is just these words."""
    key = name_key(words)
    if not key:
        return np.empty(0, dtype=np.int64)
    sql, values = contents_named(key, tag_key(words))
    rows = store.db.execute(  # CROSS JOIN: from the few names to their vectors, or SQLite reads all vectors of the space
        f"""SELECT v.id FROM ({sql}) x CROSS JOIN items i ON i.content_id = x.content_id
            CROSS JOIN vectors v ON v.item_id = i.id AND v.space = ?""",
        (*values, space.id),
    )
    return np.fromiter((at for (at,) in rows), dtype=np.int64)
