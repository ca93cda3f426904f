"""From a query to hits: its terms' vectors, the candidates' ranks, and the mark of those that are likely."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from seesay.errors import InputError
from seesay.library.search.background import NEAREST, Form, corrections, form_of, search_spec
from seesay.library.search.filters import Filters
from seesay.library.search.names import called, name_key
from seesay.library.search.query import Part, Query
from seesay.library.search.ranking import BY_SCORE, EVERYTHING, Candidates, Mark, Sort, by_date, by_score
from seesay.library.search.relevance import WORDS, Relevance, Scale
from seesay.library.search.result import Hit
from seesay.library.search.terms import Terms
from seesay.library.storage.store import Store
from seesay.models.vectors import normalize, top_k
from seesay.system.paths import is_url
from seesay.tasks.phrasing import phrase, query_embeddings

if TYPE_CHECKING:
    from seesay.images.read import ImageInput
    from seesay.library.library import Library
    from seesay.library.storage.reads import Space

Kind = Literal["image", "text"]
Score = Literal["rank", "cosine"]
SORTS = get_args(Sort)
NAMED = np.float32(100)  # above any rank: a picture of that very name comes first
DATED = 100  # of the nearest pictures to a picture, so many are shown by date before the others


@dataclass(frozen=True)
class Options:
    """How many hits are wanted, of what, and in what order. likely: only those that are marked so. score "cosine": the nearest
    first by the cosine alone, without what the library's pictures have in common taken off."""

    n: int = 10
    filters: Filters = EVERYTHING
    kind: Kind = "image"
    sort: Sort = "score"
    cursor: str | None = None
    likely: bool = False
    score: Score = "rank"

    def __post_init__(self) -> None:
        if self.n < 1:
            raise InputError(f"n must be at least 1, got {self.n}", parameter="n", expected="at least 1", got=self.n)
        for name, value, known in (("kind", self.kind, ("image", "text")), ("score", self.score, ("rank", "cosine"))):
            if value not in known:
                raise InputError(
                    f"{name} is {known[0]!r} or {known[1]!r}, got {value!r}",
                    parameter=name,
                    expected=f"{known[0]!r} or {known[1]!r}",
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
    library: "Library",
    query: Query | None,
    image: "ImageInput | None",
    pictures: Mapping[str, np.ndarray] | None,
    options: Options,
    words: Mapping[str, np.ndarray] | None = None,
) -> list[Hit]:
    """`Library.search` says what is found. words: their vectors (D,) as `query_embeddings` makes them, where they are known."""
    parts = () if query is None else query.parts
    options = replace(options, filters=_with_names(options.filters, parts))
    parts = tuple(part for part in parts if part.what != "name")
    with library.reading() as store:
        space = library.space(store)  # before any encoding: a foreign library should not cost a model
        store.check_tags(options.filters)
        if not parts and image is None:
            return _browsed(library, store, space, options)
        known = [_known(store, space, part, pictures, words or {}) for part in parts]
    terms = _terms(library, parts, known, [] if image is None else [image])
    in_words = image is None and all(part.what == "words" for part in parts)
    has_positive = image is not None or any(part.weight > 0 for part in parts)
    name = parts[0].value if len(parts) == 1 and in_words and has_positive else None
    form, scale = form_of([phrase(part.value) for part in parts], less=bool(terms.negative))
    return ranked(library, terms, options, form=form if in_words and has_positive else None, scale=scale, name=name)


def ranked(
    library: "Library",
    terms: Terms,
    options: Options,
    *,
    form: Form | None = None,
    scale: Scale = WORDS,
    name: str | None = None,
) -> list[Hit]:
    """Hits for vectors. form: of terms that are words, so that ranks are corrected, and hits marked on the scale; name: what
    may be a file's or folder's name."""
    with library.reading() as store:
        space = library.space(store)
        if terms.positive.shape != (space.dim,):
            raise InputError(f"expected a vector ({space.dim},), got an array {terms.positive.shape}")
        form = form if options.kind == "image" and options.score == "rank" else None
        found, relevance = _candidates(library, store, space, options.kind, terms, form, scale)
        named = _named(store, space, name) if name is not None and options.kind == "image" else None
        if named is not None and len(named):
            found = replace(found, ranks=found.ranks + NAMED * np.isin(found.ids, named))
        if options.filters.min_score is not None:
            found = found.where(found.scores >= options.filters.min_score)
        if options.likely and relevance is not None:
            found = found.where(found.ranks >= min(relevance.least, NAMED / 2))
        return _ordered(store, space, found, relevance, options)


def _candidates(
    library: "Library", store: Store, space: "Space", kind: Kind, terms: Terms, form: Form | None, scale: Scale
) -> tuple[Candidates, Relevance | None]:
    """All of a kind, and what is likely of them; None where there is nothing to compare with."""
    vectors = library.vectors(store, space, kind)
    scores, others = vectors.cosines(terms.positive), [vectors.cosines(vector) for vector, _ in terms.negative]
    if form is None or not len(scores):
        ranks = scores - terms.usual_penalty(scores, others) if others and len(scores) else scores
        return Candidates(vectors.ids, scores, ranks), None
    background, rule = library.background(store, space, vectors), corrections(search_spec(library.model))[form]
    hubs, spreads = library.measured(background, vectors)
    highest, *others = (rule.ranks(cosines, hubs, spreads) for cosines in (scores, *others))
    best = _nearest(store, vectors.ids, highest)
    relevance = None
    if background.absent is not None and len(best):
        typical = rule.typical(hubs[best], spreads[best]).mean()
        relevance = Relevance(background.absent[form], float(highest[best[0]]), float(typical), scale)
    return Candidates(vectors.ids, scores, highest - terms.penalty(others) if others else highest), relevance


def _nearest(store: Store, ids: np.ndarray, ranks: np.ndarray) -> np.ndarray:
    """Places of the nearest pictures that are still there: the best may be of forgotten ones."""
    take, live = 0, np.empty(0, dtype=np.intp)
    while len(live) < NEAREST and take < len(ids):
        take = NEAREST * take or NEAREST
        nearest = top_k(ranks, take)
        live = nearest[store.live(ids[nearest])][:NEAREST]
    return live


def _ordered(store: Store, space: "Space", found: Candidates, relevance: Relevance | None, options: Options) -> list[Hit]:
    """By rank; or what is likely (of a picture's neighbours, the nearest) by date, and then the rest by rank."""
    n, filters, cursor, mark = options.n, options.filters, options.cursor, partial(_mark, relevance)
    if options.sort == "score":
        return by_score(store, space, found, n, filters, kind=options.kind, cursor=cursor, mark=mark)
    if filters.min_score is not None:
        first = np.ones(len(found.ids), dtype=bool)
    elif relevance is not None:
        first = found.ranks >= min(relevance.least, NAMED / 2)
    else:
        first = np.zeros(len(found.ids), dtype=bool)
        first[top_k(found.ranks, DATED)] = True
    hits: list[Hit] = []
    begun = cursor is not None and BY_SCORE.fullmatch(cursor) is not None  # the cursor is of one of the rest
    if not begun:
        dated = found.where(first)
        hits = by_date(store, space, dated, n, filters, newest=options.sort == "newest", cursor=cursor, mark=mark)
    if len(hits) < n:
        rest, behind = found.where(~first), cursor if begun else None
        hits += by_score(store, space, rest, n - len(hits), filters, kind="image", cursor=behind, mark=mark)
    return hits


def _mark(relevance: Relevance | None, rank: float) -> Mark:
    named = rank >= float(NAMED) / 2
    if relevance is None:
        return Mark(named)
    rank -= float(NAMED) * named
    return Mark(named, round(relevance.probability(rank), 3), named or rank >= relevance.least)


def _browsed(library: "Library", store: Store, space: "Space", options: Options) -> list[Hit]:
    """What passes the filters, by date: nothing is looked for."""
    if options.kind == "text":
        raise InputError("texts are found by words or a picture; say what to look for")
    if options.filters.min_score is not None:
        raise InputError(
            "min_score: nothing is searched for, so nothing has a score", parameter="min_score", got=options.filters.min_score
        )
    ids = library.vectors(store, space, "image").ids
    unknown = np.full(len(ids), np.nan, dtype=np.float32)
    everything = Candidates(ids, unknown, np.zeros(len(ids), dtype=np.float32))
    newest = options.sort != "oldest"
    return by_date(store, space, everything, options.n, options.filters, newest=newest, cursor=options.cursor)


# Terms


def _known(
    store: Store, space: "Space", part: Part, pictures: Mapping[str, np.ndarray] | None, words: Mapping[str, np.ndarray]
) -> np.ndarray | None:
    """The vector of a part that names an item, or one of the pictures, or that is one of the words. Raises InputError where
    there is none of what is named."""
    if part.what == "words":
        return words.get(part.value)
    if part.what == "photo" and pictures is not None:
        if part.value not in pictures:
            raise part.fault(f"photo:{part.value}: no picture of that name came with the query")
        return normalize(pictures[part.value])
    if part.what != "like":
        return None
    found = store.vector_of(part.value, space)
    if found is None:
        raise part.fault(f"like:{part.value}: the library has nothing with that id, seen by this model")
    return np.frombuffer(found, "<f4")


def _terms(library: "Library", parts: Sequence[Part], known: Sequence[np.ndarray | None], images: "list[ImageInput]") -> Terms:
    """Of the parts, and of images. Raises InputError where nothing is left."""
    model = library.model
    left = [part for part, vector in zip(parts, known, strict=True) if vector is None]
    words = [part.value for part in left if part.what == "words"]
    texts = iter(query_embeddings(model, words, search_spec(model).templates)) if words else iter(())
    photos = (_photo(library, part) for part in left if part.what == "photo")
    vectors = [
        vector if vector is not None else next(texts if part.what == "words" else photos)
        for part, vector in zip(parts, known, strict=True)
    ]
    pictures = model.encode_image(images) if images else ()
    weights = [part.weight for part in parts] + [1.0] * len(images)
    try:
        return Terms.of([*vectors, *pictures], weights)
    except InputError as nothing:  # an image alone does not take itself away, so there are parts
        raise parts[-1].fault(str(nothing)) from None


def _photo(library: "Library", part: Part) -> np.ndarray:
    """The vector (D,) of the file or URL that a part names. Raises InputError that points at it."""
    try:
        vector: np.ndarray = library.model.encode_image([_where(part.value)])[0]
    except InputError as fault:
        raise part.fault(str(fault)) from fault
    return vector


def _where(value: str) -> str:
    return value if is_url(value) else os.path.expanduser(value)


# Names and tags


def _with_names(filters: Filters, parts: Sequence[Part]) -> Filters:
    names = [part for part in parts if part.what == "name"]
    for part in names:
        if not name_key(part.value):
            raise part.fault("expected a part of a file's or folder's name, with a letter or digit in it")
    wanted = tuple(part.value for part in names if part.weight > 0)
    others = tuple(part.value for part in names if part.weight < 0)
    return replace(filters, name=filters.names + wanted or None, not_name=filters.other_names + others or None)


def _named(store: Store, space: "Space", words: str) -> np.ndarray:
    """Vector ids (N,) of the pictures whose own name, or one of whose folders' names, is just these words."""
    key = name_key(words)
    if not key:
        return np.empty(0, dtype=np.int64)
    sql, values = called(key)
    rows = store.db.execute(  # from the few names to their vectors: SQLite left to itself goes through all vectors of the space
        f"""SELECT v.id FROM ({sql}) x CROSS JOIN items i ON i.content_id = x.content_id
            CROSS JOIN vectors v ON v.item_id = i.id AND v.space = ?""",
        (*values, space.id),
    )
    return np.fromiter((at for (at,) in rows), dtype=np.int64)
