"""A library folder of schema 6, with its pictures, as SeeSay 0.1 of November 2026 wrote it: it opens and is indexed on."""

import shutil
import sqlite3
import tarfile
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from seesay.library import Filters, Library
from seesay.model import Model
from tests.conftest import Paint

STORED = Path(__file__).parent / "data" / "library-6.tar.xz"
BEFORE = "/before"  # where album/ was when it was indexed


@pytest.fixture
def library(fake: Model, tmp_path: Path) -> Library:
    with tarfile.open(STORED) as archive:
        archive.extractall(tmp_path, filter="data")
    with closing(sqlite3.connect(tmp_path / "library" / "library.db", isolation_level=None)) as database:
        for table in ("roots", "excluded"):
            database.execute(f"UPDATE {table} SET path = replace(path, ?, ?)", (BEFORE, str(tmp_path)))
    return Library(tmp_path / "library", fake)


def test_it_holds_what_was_indexed(library: Library, tmp_path: Path) -> None:
    stats = library.stats()
    assert stats["files"] == {"failed": 1, "image": 4, "text": 1}
    assert stats["contents"] == {"image": 3, "text": 1}
    assert stats["excluded"] == [str(tmp_path / "album" / "private")]
    assert [(path, tries) for path, _, tries in library.failures()] == [(str(tmp_path / "album" / "broken.png"), 1)]
    assert library.tags.counts() == {"warm": 1, "海边": 1}


def test_it_is_searched_and_its_derived_files_are_used_as_they_are(library: Library, tmp_path: Path) -> None:
    derived = {file: file.read_bytes() for file in (tmp_path / "library" / "vectors").rglob("*") if file.is_file()}
    assert {file.name for file in derived} == {
        "0-image.f32", "0-image.ids", "0-text.f32", "0-text.ids", "background-f33bfb45.npz", "current.json"
    }  # fmt: skip
    best, *others = library.search("red", n=9)
    assert best.to_json() | {"score": 0.981} == {
        "score": 0.981,
        "path": str(tmp_path / "album" / "red.jpg"),
        "kind": "image",
        "id": "ced08e8a965e",
        "named": True,
        "copies": [str(tmp_path / "album" / "sea" / "red copy.jpg")],
        "tags": ["warm"],
        "width": 48,
        "height": 40,
        "taken_at": "2024-05-17T18:30:05",
        "camera": "Fujifilm X100V",
        "latitude": 47.3666667,
        "longitude": 8.5416667,
        "relevance": 1.0,
        "likely": True,
    }
    assert best.score == pytest.approx(0.981405, abs=1e-4)
    assert [(hit.name, hit.likely) for hit in others] == [("blue.png", False), ("green.png", False)]
    assert [hit.name for hit in library.search(filters=Filters(name="deep"))] == ["green.png"]
    assert library.search("blue", kind="text", n=1)[0].text == "the blue sea"
    vector = library.vector("82993f8acdb7")
    assert vector is not None
    np.testing.assert_allclose(vector, library.model.encode_image(tmp_path / "album" / "sea" / "blue.png")[0], atol=1e-5)
    assert {file: file.read_bytes() for file in derived} == derived


def test_it_is_indexed_on(library: Library, paint: Paint, tmp_path: Path) -> None:
    report = library.index()
    assert (report.unchanged, report.encoded, report.removed, len(report.new_failures)) == (5, 0, 0, 0)
    shutil.copy(paint("another.png", "yellow"), tmp_path / "album")
    (tmp_path / "album" / "red.jpg").unlink()
    report = library.index()
    assert (report.unchanged, report.encoded, report.removed) == (4, 1, 1)
    assert {hit.name for hit in library.search("yellow", n=9)} == {"another.png", "blue.png", "green.png", "red copy.jpg"}
