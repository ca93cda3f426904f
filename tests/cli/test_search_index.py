"""`seesay index --vectors` and which index answers `seesay search`."""

import json
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.cli.conftest import Run


@pytest.mark.parametrize("vectors", ["usearch", "usearch-f16", "milvus"])
def test_search_says_which_index_answered(run: Run, album: Path, vectors: str) -> None:
    place = ("--milvus", str(album.parent / "m.db")) if vectors == "milvus" else ()
    if find_spec("milvus_lite" if vectors == "milvus" else "usearch") is None:
        pytest.skip("its extra is not installed")
    run("index", album)
    before = json.loads(run("search", "red", "--json").out)
    assert before["index"] == "exact"
    assert run("index", "--vectors", vectors, *place).code == 0
    after = json.loads(run("search", "red", "--json").out)
    assert after["index"] == {"usearch": "usearch i8", "usearch-f16": "usearch f16", "milvus": "milvus"}[vectors]
    assert [hit["id"] for hit in after["results"]] == [hit["id"] for hit in before["results"]]
    shown = run("search", "red")
    assert f"answered by the index {after['index']}" in shown.err
    assert "answered by" not in run("search", "red", "--exact").err
    assert json.loads(run("search", "red", "--exact", "--json").out)["index"] == "exact"
    assert list(album.parent.glob(f"library/vectors/*/{vectors.split('-')[0]}-*"))
    assert run("index", "--vectors", "exact").code == 0
    assert not list(album.parent.glob(f"library/vectors/*/{vectors.split('-')[0]}-*"))
    assert json.loads(run("search", "red", "--json").out)["index"] == "exact"


def test_a_milvus_that_is_not_there_is_one_clear_line(run: Run, album: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if find_spec("pymilvus") is None:
        pytest.skip("its extra is not installed")
    run("index", album)
    monkeypatch.setenv("SEESAY_MILVUS_TOKEN", "root:secret")
    failed = run("index", "--vectors", "milvus", "--milvus", "http://127.0.0.1:1")
    assert failed.code == 2
    assert failed.err.startswith("seesay: the Milvus at http://127.0.0.1:1 cannot be used: ")
    assert "secret" not in failed.err
    assert "Traceback" not in failed.err
    assert run("search", "red").code == 0
    for arguments, words in (
        (("--milvus", "http://127.0.0.1:1"), "--milvus belongs to --vectors milvus"),
        (("--vectors", "milvus"), "SEESAY_MILVUS_URI"),
        (("--vectors", "milvus", "--milvus", "http://root:secret@host"), "without a password"),
        (("--vectors", "annoy"), "annoy"),
    ):
        refused = run("index", *arguments)
        assert refused.code == 2
        assert words in refused.err
        assert "secret" not in refused.err


def test_an_index_whose_extra_is_missing_says_how_to_get_it(run: Run, album: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run("index", album)
    for vectors, package, extra in (("usearch", "usearch.index", "ann"), ("milvus", "pymilvus", "milvus")):
        monkeypatch.setitem(sys.modules, package, None)
        refused = run("index", "--vectors", vectors, *(("--milvus", "http://host:19530") if vectors == "milvus" else ()))
        assert refused.code == 2
        assert f"pip install 'seesay[{extra}]'" in refused.err
        assert json.loads(run("search", "red", "--json").out)["index"] == "exact"
