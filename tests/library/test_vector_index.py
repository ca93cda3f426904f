"""The contract of `VectorIndex`, which every store has to pass: the matrix, alone and with finders; a list in memory."""

from collections.abc import Callable, Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from seesay.errors import LibraryError
from seesay.library.vectors import open_index
from seesay.library.vectors import view as views
from seesay.library.vectors.approximate import ApproximateIndex
from seesay.library.vectors.choice import INDEXES, IndexName, VectorChoice
from seesay.library.vectors.index import EMPTY, IndexState, Kind, VectorIndex, VectorRow, VectorView
from seesay.library.vectors.matrix import Matrix
from seesay.library.vectors.view import ArrayView, Vectors
from seesay.system.progress import Progress

DIM = 8
Reopen = Callable[[], VectorIndex]


class ListIndex:
    """The slow, obvious reference: all rows in one list."""

    name = "exact"

    def __init__(self, dim: int) -> None:
        self.dim = dim
        self.rows: list[VectorRow] = []
        self._state = EMPTY

    def state(self) -> IndexState:
        return self._state

    def view(self, kind: Kind, state: IndexState) -> VectorView | None:
        return ArrayView.from_rows([row for row in self.rows if row.id <= state.last_id], kind, self.dim)

    def add(self, rows: Iterable[VectorRow], last_id: int) -> None:
        self._publish([*self.rows, *rows], last_id, self._state.generation)

    def replace_all(self, rows: Iterable[VectorRow], last_id: int) -> None:
        self._publish(list(rows), last_id, self._state.generation + 1)

    def remove(self, ids: np.ndarray) -> None:
        rows = [row for row in self.rows if row.id not in ids.tolist()]
        self._publish(rows, self._state.last_id, self._state.generation + 1)

    def check(self) -> None:
        pass

    def build(self, progress: Progress | None = None) -> None:
        pass

    def _publish(self, rows: list[VectorRow], last_id: int, generation: int) -> None:
        counts = {kind: sum(row.kind == kind for row in rows) for kind in ("image", "text")}
        self.rows, self._state = rows, IndexState(generation, last_id, counts)


@pytest.fixture(params=["list", *INDEXES])
def reopen(request: pytest.FixtureRequest, tmp_path: Path) -> Reopen:
    """Opens the index that the test uses, as another process would."""
    if request.param == "list":
        reference = ListIndex(DIM)
        return lambda: reference
    choice = chosen(request.param, tmp_path)
    return lambda: open_index(tmp_path / "index", DIM, choice)


def chosen(index: IndexName, folder: Path) -> VectorChoice:
    """A choice whose packages are installed; Milvus is Milvus Lite."""
    package = {"usearch": "usearch", "usearch-f16": "usearch", "milvus": "milvus_lite"}.get(index, "numpy")
    if find_spec(package) is None:  # not importorskip: usearch has to be loaded after onnxruntime
        pytest.skip(f"{package} is not installed")
    return VectorChoice.of(index, str(folder / "milvus.db") if index == "milvus" else None)


@pytest.fixture
def index(reopen: Reopen) -> VectorIndex:
    return reopen()


def made(*ids: int, kind: Kind = "image") -> list[VectorRow]:
    return [VectorRow(each, kind, vector(each).astype("<f4").tobytes()) for each in ids]


def vector(seed: int) -> np.ndarray:
    values = np.random.default_rng(seed).standard_normal(DIM).astype(np.float32)
    return values / np.linalg.norm(values)


def seen(index: VectorIndex, kind: Kind = "image") -> VectorView:
    view = index.view(kind, index.state())
    assert view is not None
    return view


def test_an_empty_index_has_no_rows(index: VectorIndex) -> None:
    assert index.state() == EMPTY
    for kind in ("image", "text"):
        assert len(seen(index, kind).ids) == 0
    assert seen(index).cosines(vector(1)).shape == (0,)
    assert seen(index).read(0, 10).shape == (0, DIM)


def test_added_rows_are_there_by_kind_and_for_whoever_opens_it_next(index: VectorIndex, reopen: Reopen) -> None:
    index.add([*made(1, 2), *made(3, kind="text")], 3)
    index.add(made(5, 9), 10)
    for opened in (index, reopen()):
        assert opened.state() == IndexState(0, 10, {"image": 4, "text": 1})
        assert seen(opened).ids.tolist() == [1, 2, 5, 9]
        assert seen(opened).ids.dtype == np.int64
        assert seen(opened, "text").ids.tolist() == [3]


def test_cosines_are_exact_and_rows_are_read_as_they_were_added(index: VectorIndex) -> None:
    index.add(made(*range(1, 71)), 70)
    view, rows = seen(index), np.stack([vector(each) for each in range(1, 71)])
    cosines = view.cosines(vector(99))
    assert cosines.dtype == np.float32
    np.testing.assert_allclose(cosines, rows.astype(np.float64) @ vector(99), atol=1e-6)
    np.testing.assert_array_equal(view.read(3, 9), rows[3:9])
    np.testing.assert_array_equal(view.read(68, 100), rows[68:])
    np.testing.assert_array_equal(view.take(np.array([69, 0, 7])), rows[[69, 0, 7]])


def test_a_view_does_not_change_with_the_index(index: VectorIndex) -> None:
    index.add(made(1, 2, 3), 3)
    state, view = index.state(), seen(index)
    before = view.read(0, 3).copy()
    index.add(made(4), 4)
    assert index.state().generation == state.generation
    index.remove(np.array([2]))
    index.replace_all(made(7), 7)
    assert view.ids.tolist() == [1, 2, 3]
    np.testing.assert_array_equal(view.read(0, 3), before)


def test_removed_rows_are_gone_and_the_others_in_order(index: VectorIndex, reopen: Reopen) -> None:
    index.add([*made(1, 2, 3), *made(4, 5, kind="text"), *made(6)], 6)
    before = index.state()
    index.remove(np.array([2, 5, 99]))
    for opened in (index, reopen()):
        state = opened.state()
        assert (state.last_id, state.counts) == (6, {"image": 3, "text": 1})
        assert state.generation != before.generation
        assert seen(opened).ids.tolist() == [1, 3, 6]
        assert seen(opened, "text").ids.tolist() == [4]
        np.testing.assert_array_equal(seen(opened).read(0, 3), np.stack([vector(1), vector(3), vector(6)]))
    index.add(made(8), 8)
    assert seen(index).ids.tolist() == [1, 3, 6, 8]


def test_replaced_rows_are_all_that_is_left(index: VectorIndex) -> None:
    index.add([*made(1, 2), *made(3, kind="text")], 3)
    before = index.state()
    index.replace_all(made(2, 8), 9)
    assert index.state().generation != before.generation
    assert (index.state().last_id, index.state().counts) == (9, {"image": 2, "text": 0})
    assert seen(index).ids.tolist() == [2, 8]


def test_rows_are_published_together_or_not_at_all(index: VectorIndex, reopen: Reopen) -> None:
    index.add(made(1, 2, 3), 3)

    def killed() -> Iterator[VectorRow]:
        yield from made(4)
        raise RuntimeError("killed here")

    for write in (index.add, index.replace_all):
        with pytest.raises(RuntimeError):
            write(killed(), 5)
        for opened in (index, reopen()):
            assert opened.state().last_id == 3
            assert seen(opened).ids.tolist() == [1, 2, 3]
    index.add(made(4, 5), 5)
    assert seen(index).ids.tolist() == [1, 2, 3, 4, 5]
    np.testing.assert_array_equal(seen(index).read(3, 5), np.stack([vector(4), vector(5)]))


def test_the_nearest_are_those_of_all_cosines_once_it_is_built(index: VectorIndex, reopen: Reopen) -> None:
    index.add([*made(*range(1, 301)), *made(*range(301, 351), kind="text")], 350)
    assert seen(index).nearest(vector(999), 10) is None or index.name == "exact"
    index.build()
    for opened in (index, reopen()):
        for kind, count in (("image", 300), ("text", 50)):
            view = seen(opened, kind)  # type: ignore[arg-type]
            nearest = view.nearest(vector(999), 30)
            if opened.name == "exact":
                assert nearest is None
                continue
            assert nearest is not None
            assert len(nearest.unknown) == 0
            assert nearest.found.tolist() == sorted(set(nearest.found.tolist()))
            assert len(nearest.found) == 30
            best = np.argsort(-view.cosines(vector(999)))
            assert set(best[:20].tolist()) <= set(nearest.found.tolist())
            everything = view.nearest(vector(999), 10 * count)
            assert everything is not None
            assert everything.found.tolist() == list(range(count))


def test_rows_that_are_added_later_are_known_once_it_is_built_again(index: VectorIndex, reopen: Reopen) -> None:
    if index.name == "exact":
        pytest.skip("it has nothing to build")
    index.add(made(*range(1, 41)), 40)
    index.build()
    index.add(made(*range(41, 51)), 50)
    nearest = seen(reopen()).nearest(vector(45), 5)
    assert nearest is not None
    assert len(nearest.found) == 5
    assert nearest.unknown.tolist() == list(range(40, 50))
    reach_all(index)
    for opened in (index, reopen()):
        nearest = seen(opened).nearest(vector(45), 5)
        assert nearest is not None
        assert 44 in nearest.found.tolist()
        assert len(nearest.unknown) == 0


def test_rows_that_were_removed_or_replaced_are_not_found(index: VectorIndex, reopen: Reopen) -> None:
    if index.name == "exact":
        pytest.skip("it has nothing to build")
    index.add(made(*range(1, 41)), 40)
    index.build()
    index.remove(np.arange(5, 25))
    for opened in (index, reopen()):
        view = seen(opened)
        nearest = view.nearest(vector(7), 40)
        assert nearest is not None
        assert view.ids[nearest.found].tolist() == [*range(1, 5), *range(25, 41)]
    index.replace_all(made(*range(101, 121)), 120)  # a restored backup: ids may mean other vectors now
    assert seen(reopen()).nearest(vector(7), 40) is None
    index.build()
    nearest = seen(reopen()).nearest(vector(7), 40)
    assert nearest is not None
    assert nearest.found.tolist() == list(range(20))


def reach_all(index: VectorIndex, progress: Progress | None = None) -> None:
    """Builds it although few rows are missing."""
    assert isinstance(index, ApproximateIndex)
    index.finder.patience = 0
    index.build(progress)


def test_a_matrix_that_lost_a_file_is_not_read_and_not_extended_but_replaced(tmp_path: Path) -> None:
    index = Matrix(tmp_path, DIM)
    index.add(made(1, 2, 3), 3)
    (tmp_path / "0-image.f32").unlink()
    index = Matrix(tmp_path, DIM)
    assert index.view("image", index.state()) is None
    writes: list[Callable[[], None]] = [lambda: index.add(made(4), 4), lambda: index.remove(np.array([1]))]
    for write in writes:
        with pytest.raises(LibraryError, match="incomplete"):
            write()
        assert index.state().last_id == 3
    index.replace_all(made(1, 2, 3, 4), 4)
    assert seen(index).ids.tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize("one_core", [0, 2**21])
def test_vectors_join_an_index_with_rows_that_only_the_database_has(one_core: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "ONE_CORE", one_core)
    rows = np.stack([vector(each) for each in range(70)])
    expected = [float(row.astype(np.float64) @ vector(3)) for row in rows]
    for split in (70, 41, 0):
        newest = ArrayView(np.arange(split, 70), rows[split:]) if split < 70 else None
        joined = Vectors(ArrayView(np.arange(split), rows[:split]), newest, 1)
        assert joined.ids.tolist() == list(range(70))
        cosines = joined.cosines(vector(3))
        assert cosines.dtype == np.float32
        np.testing.assert_allclose(cosines, expected, atol=1e-5)
        np.testing.assert_array_equal(joined.rows(np.array([0, 40, 41, 69])), rows[[0, 40, 41, 69]])
