"""Searches through an approximate index: the hits, scores and pages of an exact one; and what can go wrong."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from seesay.errors import InputError, LibraryError
from seesay.images.metadata import Metadata
from seesay.library import Library
from seesay.library.search import pool
from seesay.library.search.filters import EVERYTHING, Filters
from seesay.library.search.ranking import Sort
from seesay.library.vectors import graph, milvus, open_index
from seesay.library.vectors.choice import INDEXES, VectorChoice
from seesay.library.vectors.graph import Graphs
from seesay.library.vectors.index import VectorRow
from seesay.library.vectors.milvus import Milvus
from seesay.library.vectors.sync import sync
from seesay.model import Model
from seesay.models.config import SearchSpec
from seesay.models.vectors import normalize
from seesay.testing import fake_model
from tests.library.test_vector_index import chosen, reach_all

COUNT, DIM = 1600, 32
APPROXIMATE = tuple(name for name in INDEXES if name != "exact")


@pytest.fixture(scope="module")
def model() -> Model:
    """One whose ranks are corrected as strongly as any model's, so that the nearest by cosine are not the first."""
    made = fake_model(DIM)
    return Model(
        replace(made.config, search=SearchSpec({}, hub=0.4, spread=0.8, sentence_hub=0.3)), made.tokenizer, made.engine
    )


@pytest.fixture(scope="module")
def place(model: Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library of 1,600 pictures that were never files: vectors in forty clusters, dates, sizes, folders and tags."""
    folder = tmp_path_factory.mktemp("approximate") / "library"
    with Library(folder, model) as library, library.writing():
        fill(library, 0, COUNT)
    return folder


def fill(library: Library, start: int, count: int) -> None:
    """Adds pictures to the database as an index run would."""
    random = np.random.default_rng(3)
    centres = random.standard_normal((40, DIM))
    vectors = normalize(centres[random.integers(40, size=start + count)] + 0.9 * random.standard_normal((start + count, DIM)))
    store, model = library._open(create=True), library.model
    space = store.ensure_space(model.space_id, model.dim, model.name)
    with store.transaction():
        root = store.roots().get("/pictures") or store.add_root("/pictures")
        for number in range(start, start + count):
            facts = Metadata(taken_at=f"{2000 + number % 20}-05-17", camera="Canon" if number % 10 == 0 else "Nikon")
            digest = number.to_bytes(32, "little")[::-1] if number % 2 else number.to_bytes(32, "little")
            content = store.put_content(digest, "image", 40 + number % 3, 41, facts, b"")
            store.put_vector(store.put_item(content), space, "build", vectors[number].astype("<f4").tobytes())
            store.put_file(root, f"folder-{number % 50}/{number}.png", 1, 1, content)
            if number % 100 == 0:
                store.put_tags([(content, "hundredth", None)])


@pytest.fixture(scope="module", params=APPROXIMATE)
def built(
    request: pytest.FixtureRequest, place: Path, model: Model, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Library]:
    """A copy of the library with an approximate index, by graphs that miss nothing, so that only the search is tested."""
    folder = tmp_path_factory.mktemp(request.param)
    shutil.copytree(place, folder / "library")
    with Library(folder / "library", model) as opened, pytest.MonkeyPatch.context() as patch:
        patch.setattr(graph, "BREADTH", 600)
        patch.setattr(graph, "SEARCH_BREADTH", 600)
        patch.setattr(graph, "CONNECTIVITY", 48)
        patch.setattr(milvus, "GRAPH", {"M": 48, "efConstruction": 600})
        build(opened, chosen(request.param, folder))
        yield opened


@pytest.fixture
def library(built: Library, monkeypatch: pytest.MonkeyPatch) -> Library:
    """The same, searched as a large library is: a few are looked at first."""
    monkeypatch.setattr(pool, "COUNTS", (64, 200, 400))
    monkeypatch.setattr(pool, "FEW", 50)
    return built


def build(library: Library, choice: VectorChoice) -> None:
    """What `Library.index` does once its pictures are stored."""
    with library.writing(), library.session() as session:
        session.choose(choice)
        sync(session.index, session.store, session.space)
        session.save_background()
        session.index.build()


QUERIES = ("red", "a red and a blue picture of something", "green - 0.5*blue", "-red")
NARROW = (
    EVERYTHING,
    Filters(tag="hundredth"),
    Filters(camera="canon"),
    Filters(under="/pictures/folder-7"),
    Filters(after="2004", before="2013"),
    Filters(orientation="square"),
    Filters(name="folder-3"),
    Filters(camera="canon", after="2010"),
)


@pytest.mark.parametrize("filters", NARROW, ids=str)
def test_hits_are_those_of_an_exact_search(library: Library, filters: Filters) -> None:
    answered = []
    for query in QUERIES:
        for n in (3, 25):
            exact = library.search(query, n=n, filters=filters, exact=True)
            found = library.search(query, n=n, filters=filters)
            assert [hit.id for hit in found] == [hit.id for hit in exact]
            assert [hit.likely for hit in found] == [hit.likely for hit in exact]
            np.testing.assert_allclose([hit.score or 0 for hit in found], [hit.score or 0 for hit in exact], atol=1e-6)
            np.testing.assert_allclose([hit.relevance or 0 for hit in found], [hit.relevance or 0 for hit in exact], atol=2e-3)
            assert exact.answered_by == "exact"
            answered.append(found.answered_by)
    with library.session() as session:
        assert session.index.name in answered


@pytest.mark.parametrize("sort", ["score", "newest"])
@pytest.mark.parametrize("extra", [{}, {"likely": True}, {"score": "cosine"}, {"filters": Filters(min_score=0.3)}], ids=str)
def test_pages_and_orders_are_those_of_an_exact_search(library: Library, sort: Sort, extra: dict[str, object]) -> None:
    for query in ("red", "green - blue"):
        pages: dict[bool, list[str]] = {}
        for exact in (False, True):
            cursor, ids = None, list[str]()
            for _ in range(6):
                page = library.search(query, n=17, sort=sort, cursor=cursor, exact=exact, **extra)  # type: ignore[arg-type]
                ids += [hit.id for hit in page]
                cursor = page.next
                if cursor is None:
                    break
            pages[exact] = ids
        assert pages[False] == pages[True]


def test_pictures_as_queries_and_their_differences_find_the_same(library: Library) -> None:
    some = [hit.id for hit in library.search("red", n=5, exact=True)]
    for query in (f"like:{some[0]}", f"like:{some[1]} + red", f"like:{some[2]} - like:{some[3]}", f"like:{some[4]} - blue"):
        found, exact = library.search(query, n=20), library.search(query, n=20, exact=True)
        assert [hit.id for hit in found] == [hit.id for hit in exact]


def test_an_index_of_another_space_is_not_asked(library: Library) -> None:
    other = fake_model(DIM, space_id="0123" * 8)
    with Library(library.path, other) as opened:
        with opened.writing() as store, store.transaction():
            space = store.ensure_space(other.space_id, DIM, "other")
            item = store.db.execute("SELECT min(id) FROM items").fetchone()[0]
            store.put_vector(item, space, "build", normalize(np.ones(DIM)).astype("<f4").tobytes())
        found = opened.search("red")
        assert (len(found), found.answered_by) == (1, "exact")


def test_new_pictures_are_found_before_the_index_knows_them_and_deleted_ones_are_not(library: Library) -> None:
    """The last test of this library, which it changes."""
    with library.writing():
        fill(library, COUNT, 40)
    assert_same(library)  # in the database alone
    with library.writing(), library.session() as session:
        sync(session.index, session.store, session.space)
    assert_same(library)  # in the matrix too
    with library.writing() as store, store.transaction():
        store.forget("/pictures/folder-5")
        store.remove_orphans()
    assert_same(library)
    with library.writing(), library.session() as session:
        ids = session.vectors("image").ids
        session.index.remove(ids[~session.store.live(ids)])
        session.save_background()
    assert_same(library)


def assert_same(library: Library) -> None:
    for query in ("red", "green", "blue - red"):
        found, exact = library.search(query, n=30), library.search(query, n=30, exact=True)
        assert [hit.id for hit in found] == [hit.id for hit in exact]
        assert found.answered_by != "exact"


@pytest.fixture
def graphs(tmp_path: Path) -> Path:
    """A folder with the rows of an index by usearch, which is not built yet."""
    index = open_index(tmp_path / "rows", DIM, chosen("usearch", tmp_path))
    vectors = normalize(np.random.default_rng(0).standard_normal((2000, DIM)))
    index.add((VectorRow(at + 1, "image", row.astype("<f4").tobytes()) for at, row in enumerate(vectors)), 2000)
    return tmp_path / "rows"


CHILD = """
import sys, time
from pathlib import Path
from seesay.library.vectors import graph, open_index
from seesay.library.vectors.choice import VectorChoice
graph.CHUNK, graph.SAVE_S = 100, 0.0
def progress(done, total):
    print(done, flush=True)
    time.sleep(0.02)
open_index(Path(sys.argv[1]), 32, VectorChoice("usearch")).build(progress)
"""


@pytest.mark.parametrize("wait_s", [0.0, 0.007, 0.02])
def test_a_killed_build_goes_on_where_it_was(graphs: Path, wait_s: float) -> None:
    child = subprocess.Popen([sys.executable, "-c", CHILD, graphs], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    with child.stdout:
        for _ in range(5):
            assert child.stdout.readline()
        time.sleep(wait_s)
        child.send_signal(signal.SIGKILL)
    child.wait()
    known = Graphs(graphs, DIM).reach("image")
    assert 400 <= known.rows < 2000
    index = open_index(graphs, DIM, VectorChoice("usearch"))
    view = index.view("image", index.state())
    assert view is not None
    nearest = view.nearest(view.read(7, 8)[0], 50)
    assert nearest is not None
    assert 7 in nearest.found
    assert len(nearest.unknown) == 2000 - known.rows
    done = list[int]()
    reach_all(index, lambda now, total: done.append(now))
    assert done[0] > known.rows
    assert done[-1] == 2000
    assert Graphs(graphs, DIM).reach("image").rows == 2000
    assert len(list(graphs.glob("*.graph"))) == 1


@pytest.mark.parametrize("damage", ["cut", "other", "gone", "pointer"])
def test_a_damaged_graph_is_not_read_and_built_again(graphs: Path, damage: str) -> None:
    open_index(graphs, DIM, VectorChoice("usearch")).build()
    (file,) = graphs.glob("*.graph")
    if damage == "cut":
        os.truncate(file, file.stat().st_size // 2)
    elif damage == "other":
        file.write_bytes(b"\0" * file.stat().st_size)
    elif damage == "gone":
        file.unlink()
    else:
        next(graphs.glob("usearch-*.json")).write_text("[1")
    index = open_index(graphs, DIM, VectorChoice("usearch"))
    view = index.view("image", index.state())
    assert view is not None
    assert view.nearest(view.read(0, 1)[0], 10) is None
    index.build()
    nearest = view.nearest(view.read(0, 1)[0], 10)
    assert nearest is not None
    assert 0 in nearest.found


def test_a_reader_keeps_its_graph_while_another_one_is_written(graphs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer, reader = (open_index(graphs, DIM, VectorChoice("usearch")) for _ in range(2))
    writer.build()
    view = reader.view("image", reader.state())
    assert view is not None
    query = view.read(3, 4)[0]
    assert view.nearest(query, 10) is not None
    more = normalize(np.random.default_rng(5).standard_normal((3000, DIM)))
    writer.add((VectorRow(2001 + at, "image", row.astype("<f4").tobytes()) for at, row in enumerate(more)), 5000)
    writer.build()
    nearest = view.nearest(query, 10)
    assert nearest is not None
    assert 3 in nearest.found
    assert nearest.found.max() < 2000
    later = reader.view("image", reader.state())
    assert later is not None
    found = later.nearest(more[5], 10)
    assert found is not None
    assert 2005 in found.found
    assert len(found.unknown) == 0


def test_a_choice_is_stored_and_one_that_is_not_understood_is_exact(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert VectorChoice.read(tmp_path) == VectorChoice("exact")
    for choice in (VectorChoice("usearch-f16"), VectorChoice("milvus", "http://host:19530")):
        choice.write(tmp_path)
        assert VectorChoice.read(tmp_path) == choice
    monkeypatch.setenv("SEESAY_MILVUS_URI", "http://other:19530")
    assert VectorChoice.read(tmp_path).milvus == "http://other:19530"
    for text in ("", "[]", "{}", '{"index": "annoy", "milvus": null}', '{"index": "milvus", "milvus": 3}'):
        (tmp_path / "vectors.json").write_text(text)
        assert VectorChoice.read(tmp_path) == VectorChoice("exact")


@pytest.mark.parametrize(
    "where", ["host:19530", "ftp://host", "http://", "http://host:x", "milvus", "http://u:secret@host:19530"]
)
def test_an_address_that_is_none_or_has_a_password_is_refused(where: str) -> None:
    with pytest.raises(InputError, match="milvus: expected") as fault:
        VectorChoice.of("milvus", where)
    assert "secret" not in str(fault.value)


def test_milvus_needs_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SEESAY_MILVUS_URI", raising=False)
    with pytest.raises(InputError, match="SEESAY_MILVUS_URI"):
        VectorChoice.of("milvus")
    with pytest.raises(InputError, match="goes with vectors milvus"):
        VectorChoice.of("usearch", "http://host:19530")
    with pytest.raises(InputError, match="expected one of exact, usearch"):
        VectorChoice.of("annoy")


@pytest.mark.parametrize("where", ["http://127.0.0.1:1", "http://192.0.2.1:19530", "http://nowhere.invalid:19530"])
def test_a_milvus_that_is_not_there_is_said_within_seconds_and_changes_nothing(
    place: Path, model: Model, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    choice = chosen("milvus", place)
    with Library(place, model) as library:
        begin = time.monotonic()
        with library.writing(), library.session() as session, pytest.raises(LibraryError, match="cannot be used") as fault:
            session.choose(replace(choice, milvus=where))
        assert time.monotonic() - begin < 15
        assert where in str(fault.value)
        assert "--vectors exact" in str(fault.value)
        assert VectorChoice.read(place) == VectorChoice("exact")
        assert library.search("red").answered_by == "exact"


def test_a_milvus_that_went_away_is_an_error_and_an_exact_search_is_not(
    place: Path, model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Library(place, model) as library:
        build(library, chosen("milvus", tmp_path))
        assert library.search("red").answered_by == "milvus"
    monkeypatch.setenv("SEESAY_MILVUS_URI", "http://127.0.0.1:1")
    with Library(place, model) as library:
        # Nothing was built there, so all pictures are compared; where something was, it has to answer.
        assert library.search("red").answered_by == "exact"
        pointer = next(place.glob("vectors/*/milvus-image.json"))
        pointer.write_text(json.dumps(json.loads(pointer.read_text()) | {"where": "http://127.0.0.1:1"}))
        with pytest.raises(LibraryError, match="seesay search --exact"):
            library.search("red")
        assert len(library.search("red", exact=True)) == 10
        assert len(library.search(sort="newest")) == 10
    monkeypatch.delenv("SEESAY_MILVUS_URI")
    VectorChoice("exact").write(place)


def test_a_milvus_that_lost_its_collection_is_filled_again(tmp_path: Path) -> None:
    choice = chosen("milvus", tmp_path)
    index = open_index(tmp_path / "rows", DIM, choice)
    vectors = normalize(np.random.default_rng(0).standard_normal((50, DIM)))
    index.add((VectorRow(at + 1, "image", row.astype("<f4").tobytes()) for at, row in enumerate(vectors)), 50)
    index.build()
    finder = Milvus(tmp_path / "rows", DIM, choice.milvus or "")
    assert finder.reach("image").rows == 50
    finder._client().drop_collection(finder._collection("image"))
    again = open_index(tmp_path / "rows", DIM, choice)
    view = again.view("image", again.state())
    assert view is not None
    assert view.nearest(vectors[0], 5) is None
    again.build()
    nearest = view.nearest(vectors[0], 5)
    assert nearest is not None
    assert 0 in nearest.found


def test_what_a_killed_run_sent_to_milvus_is_not_there_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(milvus, "ROWS", 10)
    monkeypatch.setattr(milvus, "SAVE", 2)
    index = open_index(tmp_path / "rows", DIM, chosen("milvus", tmp_path))
    vectors = normalize(np.random.default_rng(0).standard_normal((95, DIM)))
    index.add((VectorRow(at + 1, "image", row.astype("<f4").tobytes()) for at, row in enumerate(vectors)), 95)

    def killed(done: int, total: int) -> None:
        if done == 50:  # behind the state that was kept at 40
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        index.build(killed)
    index.build()
    view = index.view("image", index.state())
    assert view is not None
    nearest = view.nearest(vectors[0], 200)
    assert nearest is not None
    assert nearest.found.tolist() == list(range(95))
    finder = Milvus(tmp_path / "rows", DIM, chosen("milvus", tmp_path).milvus or "")
    assert finder.reach("image").rows == 95


def test_milvus_lite_in_use_by_another_process_says_what_to_do(tmp_path: Path) -> None:
    choice = chosen("milvus", tmp_path)
    holder = (
        "import sys\nfrom pymilvus import MilvusClient\nMilvusClient(sys.argv[1])\nprint('open', flush=True)\nsys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", holder, str(choice.milvus)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "open\n"
        with pytest.raises(LibraryError, match="One process at a time"):
            open_index(tmp_path / "rows", DIM, choice).check()
        child.communicate("")


def test_the_graph_keeps_saving_while_it_grows(graphs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph, "CHUNK", 500)
    monkeypatch.setattr(graph, "SAVE_S", 0.0)
    seen = list[int]()
    reader = Graphs(graphs, DIM)
    open_index(graphs, DIM, VectorChoice("usearch")).build(lambda done, total: seen.append(reader.reach("image").rows))
    assert seen == [0, 500, 1000, 1500]
