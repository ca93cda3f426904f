"""Features take a session, and a search says how to continue and why it has no hits."""

from pathlib import Path

import numpy as np
import pytest

from seesay.errors import InputError, NoLibrary, SpaceMismatch
from seesay.library import Filters, Hit, Library, SearchResult
from seesay.library.duplicates import find_duplicates
from seesay.library.listing import listing, stored_vector
from seesay.library.search.encode import EncodedQuery, PartVectors, encode_query, encode_words, word_texts, word_vectors
from seesay.library.search.query import Query
from seesay.library.search.result import WhyEmpty
from seesay.library.search.search import Options, search, search_encoded
from seesay.library.search.terms import Terms
from seesay.library.session import Session
from seesay.library.storage.store import Store
from seesay.library.tags import add_tag
from seesay.model import Model
from seesay.testing import fake_model
from tests.conftest import Paint

NOTHING = "a purple elephant that dances on two legs"


@pytest.fixture
def folder(fake: Model, paint: Paint, tmp_path: Path) -> Path:
    for name, colour in (("a/red.png", "red"), ("a/green.png", "green"), ("b/blue.png", "blue")):
        paint(name, colour)
    with Library(tmp_path / "library", fake) as library:
        library.index(tmp_path / "pictures")
    return tmp_path / "library"


@pytest.fixture
def session(folder: Path, fake: Model) -> Session:
    return Session(Store(folder, create=False), lambda: fake)


def names(result: SearchResult) -> list[str]:
    return [hit.name for hit in result]


def test_features_need_no_library_around_the_session(session: Session, fake: Model) -> None:
    assert names(search(session, Query.parse("red"), Options(n=1))) == ["red.png"]
    vector = fake.encode_text("blue")[0]
    (blue,) = search_encoded(session, EncodedQuery(Terms(vector)), Options(n=1))
    assert blue.name == "blue.png"
    assert add_tag(session, "sea", [blue.path]) == 1
    assert session.store.tag_counts() == {"sea": 1}
    assert find_duplicates(session) == []
    assert listing(session.store, Filters(tag="sea"), "name").ids == [blue.id]
    stored = stored_vector(session, blue.id)
    assert stored is not None
    np.testing.assert_allclose(stored, fake.encode_image(blue.path)[0], atol=1e-6)


def test_a_session_says_what_is_missing(folder: Path, tmp_path: Path) -> None:
    other = fake_model(space_id="0ther" * 6)
    session = Session(Store(folder, create=False), lambda: other)
    assert not session.has_space()
    with pytest.raises(SpaceMismatch, match="holds vectors of 'fake'"):
        session.require_space()
    empty = Session(Store(tmp_path / "empty", create=True), lambda: other)
    with pytest.raises(NoLibrary, match="is empty"):
        empty.require_space()


def test_a_result_is_a_sequence_of_hits_with_the_next_cursor(session: Session) -> None:
    query = Query.parse("red")
    first = search(session, query, Options(n=2))
    assert isinstance(first[0], Hit)
    assert (len(first), first[:1], first.why_empty) == (2, (first.hits[0],), None)
    assert first.next == first[-1].cursor
    rest = search(session, query, Options(n=2, cursor=first.next))
    assert (len(rest), rest.next) == (1, None)
    assert {*names(first), *names(rest)} == {"red.png", "green.png", "blue.png"}
    behind = search(session, query, Options(n=2, cursor=rest[0].cursor))
    assert not behind
    assert behind.why_empty == WhyEmpty("end", "image")


@pytest.mark.parametrize(
    ("query", "options", "expected"),
    [
        ("red", Options(kind="text"), WhyEmpty("library", "text")),
        ("red", Options(filters=Filters(min_px=999)), WhyEmpty("filters", "image", Filters(min_px=999))),
        ("red", Options(filters=Filters(min_score=1)), WhyEmpty("filters", "image", Filters(min_score=1))),
        ("red + name:nowhere", Options(), WhyEmpty("filters", "image", Filters(), ("nowhere",))),
        ("name:nowhere", Options(), WhyEmpty("filters", "image", Filters(), ("nowhere",))),
        (None, Options(sort="newest", filters=Filters(after="2024")), WhyEmpty("filters", "image", Filters(after="2024"))),
        (NOTHING, Options(likely=True), WhyEmpty("likely", "image")),
        (NOTHING, Options(likely=True, sort="newest"), WhyEmpty("likely", "image")),
        (
            NOTHING,
            Options(likely=True, filters=Filters(min_px=999)),
            WhyEmpty("filters", "image", Filters(min_px=999)),
        ),
    ],
)
def test_a_search_says_why_it_has_no_hits(session: Session, query: str | None, options: Options, expected: WhyEmpty) -> None:
    result = search(session, None if query is None else Query.parse(query), options)
    assert (len(result), result.next, result.why_empty) == (0, None, expected)


def test_words_become_the_same_vectors_in_one_step_and_in_two(fake: Model) -> None:
    at_once = encode_words(fake, ["red", "a blue car"])
    texts = word_texts(fake, ["red", "a blue car"])
    in_two = word_vectors(texts, fake.encode_text([text for some in texts.values() for text in some]))
    assert list(at_once) == list(in_two) == ["red", "a blue car"]
    for word, vector in at_once.items():
        np.testing.assert_array_equal(vector, in_two[word])
    assert encode_words(fake, []) == {}


def test_a_query_takes_vectors_of_its_parts_from_the_caller(
    session: Session, fake: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = Query.parse("red + photo:mine - blue").parts
    words = encode_words(fake, ["red", "blue"])
    green = fake.encode_text("green")[0]
    monkeypatch.setattr(Model, "encode_text", lambda *_: pytest.fail("words are encoded already"))
    monkeypatch.setattr(Model, "encode_image", lambda *_: pytest.fail("no file may be opened"))
    query = encode_query(session, parts, vectors=PartVectors({"mine": 2 * green}, words))
    expected = words["red"] + green
    np.testing.assert_allclose(query.terms.positive, expected / np.linalg.norm(expected), atol=1e-6)
    ((negative, weight),) = query.terms.negative
    assert weight == 1
    np.testing.assert_array_equal(negative, words["blue"])
    assert query.form is None  # a photo is no phrase
    with pytest.raises(InputError, match="no picture of that name came with the query"):
        encode_query(session, parts, vectors=PartVectors({}, words))
