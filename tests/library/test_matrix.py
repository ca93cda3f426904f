"""The matrix is only a cache: whatever happens to it, search answers from the database."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from seesay.library import Library
from seesay.model import Model
from tests.conftest import Paint


@pytest.fixture
def library(tmp_path: Path, fake: Model, paint: Paint) -> Library:
    for i in range(30):
        paint(f"{i}.png", ["red", "green", "blue"][i % 3])
    library = Library(tmp_path / "library", fake)
    library.index(tmp_path / "pictures")
    return library


def answers(library: Library) -> list[tuple[str, float]]:
    hits = Library(library.path, library.model).search("red and blue", n=30)
    return [(hit.path, round(hit.score, 5)) for hit in hits]


def matrix_folder(library: Library) -> Path:
    (folder,) = (library.path / "vectors").iterdir()
    return folder


@pytest.mark.parametrize(
    "damage", ["gone", "no pointer", "pointer is garbage", "cut short", "behind", "half written", "from the future"]
)
def test_search_is_right_whatever_happens_to_the_matrix(library: Library, damage: str) -> None:
    expected = answers(library)
    assert len(expected) == 30
    folder = matrix_folder(library)
    pointer = folder / "current.json"
    state = json.loads(pointer.read_text())
    if damage == "gone":
        shutil.rmtree(folder)
    elif damage == "no pointer":
        pointer.unlink()
    elif damage == "pointer is garbage":
        pointer.write_text('{"generation": 1')
    elif damage == "cut short":
        os.truncate(next(folder.glob("*-image.f32")), 100)
    elif damage == "behind":
        pointer.write_text(json.dumps(state | {"last_id": 10, "rows": {"image": 10, "text": 0}}))
    elif damage == "half written":
        with next(folder.glob("*-image.f32")).open("ab") as file:
            file.write(b"\1" * 777)
    else:
        pointer.write_text(json.dumps(state | {"last_id": 10**9}))
    assert answers(library) == expected
    assert library.index().unchanged == 30
    assert answers(library) == expected
    state = json.loads((matrix_folder(library) / "current.json").read_text())
    assert (state["rows"]["image"], state["last_id"]) == (30, 30)


def test_a_reader_brings_a_lost_matrix_back(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.rmtree(matrix_folder(library))
    monkeypatch.setattr("seesay.library.session.HEAL_ROWS", 5)
    assert len(answers(library)) == 30
    assert json.loads((matrix_folder(library) / "current.json").read_text())["rows"]["image"] == 30


def test_many_deletions_make_a_new_generation_and_old_readers_are_unharmed(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("seesay.library.vectors.sync.FEW_ROWS", 10)
    reader = Library(library.path, library.model)
    before = reader.search("red", n=30)
    assert len(before) == 30
    with reader.session() as session:
        index = session.index
    view = index.view("image", index.state())
    assert view is not None
    before_rows = view.read(0, 30).copy()
    for i in range(20):
        (tmp_path / "pictures" / f"{i}.png").unlink()
    library.index()
    state = json.loads((matrix_folder(library) / "current.json").read_text())
    assert state["rows"]["image"] == 10
    np.testing.assert_array_equal(view.read(0, 30), before_rows)
    assert len(reader.search("red", n=30)) == 10


def test_few_deletions_are_tombstones(library: Library, tmp_path: Path) -> None:
    for i in range(12):
        (tmp_path / "pictures" / f"{i}.png").unlink()
    library.index()
    assert json.loads((matrix_folder(library) / "current.json").read_text())["rows"]["image"] == 30
    assert len(library.search("red", n=18)) == 18
    assert len(library.search("red", n=1)) == 1
