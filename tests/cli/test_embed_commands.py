"""embed --shard, library import."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run


def test_shards_and_their_import_make_a_library(run: Run, album: Path, tmp_path: Path) -> None:
    for i in (1, 2, 3):
        made = run("embed", album, "-o", tmp_path / "part-{i}.parquet", "--shard", f"{i}/3", "--json")
        assert (made.code, json.loads(made.out)["shard"]) == (0, f"{i}/3")
        assert json.loads(made.out)["output"] == str(tmp_path / f"part-{i}.parquet")
    again = run("embed", album, "-o", tmp_path / "part-{i}.parquet", "--shard", "1/3")
    assert "of them made before" in again.out or "wrote 0 vectors" in again.out
    parts = sorted(tmp_path.glob("part-*.parquet"))
    taken = run("library", "import", *parts)
    assert taken.code == 0
    assert taken.out.startswith("4 pictures taken in ")
    document = json.loads(run("library", "import", *parts, "--json").out)
    assert (document["taken"], document["known"], document["missing"]) == (0, 4, [])
    assert json.loads(run("index", "--json").out)["unchanged"] == 4
    assert json.loads(run("search", "red", "-n", "1", "--json").out)["results"][0]["path"] == str(album / "red/red.png")


def test_what_is_left_out_is_told(run: Run, album: Path, tmp_path: Path) -> None:
    (album / "bad.png").write_bytes(b"")
    made = run("embed", album, "-o", tmp_path / "v.parquet")
    assert (made.code, made.out.startswith("wrote 4 vectors")) == (1, True)
    assert "bad.png: is empty (0 bytes)" in made.err
    (album / "red/red.png").unlink()
    (album / "blue/blue.png").write_bytes((album / "green/green.png").read_bytes())
    taken = run("library", "import", tmp_path / "v.parquet")
    assert (taken.code, taken.out.split(" in ")[0]) == (1, "2 pictures taken, 1 changed since, 1 missing")
    assert "blue.png: has changed since it was embedded" in taken.err
    assert "red.png: is missing" in taken.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("-o", "x-{i}.parquet", "--shard", "5/4"), "expected a shard from 1/4 to 4/4, got '5/4'"),
        (("-o", "x-{i}.parquet", "--shard", "0/0"), "expected at least one shard, as in 1/1, got '0/0'"),
        (("-o", "x-{i}.parquet", "--shard", "0/4"), "shards count from 1"),
        (("-o", "x-{i}.parquet", "--shard", "two"), "expected a shard i/n such as 3/8"),
        (("-o", "x.parquet", "--shard", "1/4"), "4 shards would write over each other in x.parquet; put {i} in its name"),
        (("-o", "x.npz", "--ray", "local"), "With --ray the output file must end in .parquet"),
        (("-o", "x-{i}.parquet"), "is the number of a shard; give --shard too"),
    ],
)
def test_wrong_shards_are_refused(
    run: Run, album: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    refused = run("embed", album, *arguments)
    assert (refused.code, message in refused.err, "Traceback" in refused.err) == (2, True, False)
    assert list(tmp_path.glob("*x*")) == []


def test_no_file_that_is_read_is_written_over(run: Run, album: Path, tmp_path: Path) -> None:
    run("embed", album, "-o", tmp_path / "v.parquet")
    before = (tmp_path / "v.parquet").read_bytes()
    assert run("embed", tmp_path / "v.parquet", "-o", tmp_path / "v.parquet").code == 2
    assert (tmp_path / "v.parquet").read_bytes() == before


def test_wrong_imports_are_refused(run: Run, album: Path, tmp_path: Path) -> None:
    missing = run("library", "import", tmp_path / "none.parquet")
    assert (missing.code, "is not a Parquet file that can be read" in missing.err) == (2, True)
    run("embed", album, "-o", tmp_path / "v.parquet")
    album.rename(tmp_path / "moved")
    gone = run("library", "import", tmp_path / "v.parquet")
    assert (gone.code, "which is not here. Name the folder" in gone.err) == (2, True)
    assert run("library", "import", tmp_path / "v.parquet", "--root", tmp_path / "moved").code == 0
