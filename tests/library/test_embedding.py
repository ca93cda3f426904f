"""Embedding in shards: who takes what, what is kept of a killed run, what is made again."""

import io
import os
import random
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from seesay.errors import InputError
from seesay.library.embedding import kept as kept_module
from seesay.library.embedding.embed import EmbedReport, embed
from seesay.library.embedding.listing import list_items
from seesay.library.embedding.shard import Shard
from seesay.library.indexing.crawl import Crawl
from seesay.model import Model
from tests.conftest import Paint

WHOLE = Shard()


def embed_all(model: Model, output: Path, *inputs: object, shard: Shard = WHOLE, texts: tuple[str, ...] = ()) -> EmbedReport:
    return embed(model, list_items([str(each) for each in inputs], texts, shard), output)


def rows(file: Path) -> list[dict[str, Any]]:
    return pq.read_table(file).to_pylist()  # type: ignore[no-any-return]


@pytest.fixture
def folder(paint: Paint, tmp_path: Path) -> Path:
    for i in range(40):
        paint(f"{i % 3}/{i:02}.png", ["red", "green", "blue"][i % 3])
    return tmp_path / "pictures"


# Shards


@pytest.mark.parametrize("text", ["5/4", "0/0", "0/4", "1/0", "3", "a/b", "-1/4", "1/4/2", "", "1.5/4"])
def test_a_shard_that_there_cannot_be_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="expected .*got"):
        Shard.parse(text)


def test_schedulers_numbers_are_read() -> None:
    assert Shard.parse("3/8") == Shard.parse(" 03/08 ") == Shard(3, 8)
    with pytest.raises(
        InputError, match="count from 1: expected 1/8 to 8/8, got '0/8'. Where a scheduler counts from 0, add 1"
    ):
        Shard.parse("0/8")


def test_the_output_of_a_shard_has_its_number() -> None:
    assert Shard(3, 8).output("part-{i}.parquet") == "part-3.parquet"
    assert Shard(3, 128).output("{i}/part-{i}.parquet") == "003/part-003.parquet"
    assert Shard(1, 1).output("all.parquet") == "all.parquet"
    with pytest.raises(InputError, match="2 shards would write over each other in all.parquet; put {i} in its name"):
        Shard(1, 2).output("all.parquet")


@pytest.mark.parametrize("count", [1, 2, 3, 7, 100])
def test_every_picture_is_in_exactly_one_shard(folder: Path, count: int) -> None:
    taken = [item.path for i in range(count) for item in list_items([str(folder)], (), Shard(i + 1, count)).pictures]
    assert sorted(map(str, taken)) == sorted(map(str, folder.rglob("*.png")))


def test_the_order_of_a_listing_and_the_place_of_the_folder_change_no_shard(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def names(root: Path) -> list[set[str]]:
        shards = [list_items([str(root)], (), Shard(i, 3)) for i in (1, 2, 3)]
        return [{os.path.relpath(str(item.path), root) for item in shard.pictures} for shard in shards]

    here = names(folder)
    assert all(8 <= len(each) <= 20 for each in here)
    walk = Crawl.__iter__

    def shuffled(crawl: Crawl) -> Iterator[Any]:
        found = list(walk(crawl))
        random.Random(1).shuffle(found)
        return iter(found)

    monkeypatch.setattr(Crawl, "__iter__", shuffled)
    moved = tmp_path / "elsewhere"
    folder.rename(moved)
    assert names(moved) == here


def test_lines_of_a_list_and_texts_are_dealt_too(tmp_path: Path, fake: Model) -> None:
    words = tmp_path / "words.txt"
    words.write_text("".join(f"word {i}\n" for i in range(50)))
    found = []
    for i in range(1, 5):
        part = tmp_path / f"{i}.parquet"
        embed_all(fake, part, words, shard=Shard(i, 4), texts=("red", "blue"))
        found += [(row["line"], row["text"]) for row in rows(part)]
    assert sorted(found, key=str) == sorted(
        [*((i + 1, f"word {i}") for i in range(50)), (None, "red"), (None, "blue")], key=str
    )


# Files


def test_the_shards_together_are_what_one_run_makes(folder: Path, tmp_path: Path, fake: Model) -> None:
    embed_all(fake, tmp_path / "all.parquet", folder)
    parts = []
    for i in range(1, 4):
        report = embed_all(fake, tmp_path / f"part-{i}.parquet", folder, shard=Shard(i, 3))
        part = rows(tmp_path / f"part-{i}.parquet")
        assert report.written == len(part)
        parts += part
    assert sorted(parts, key=lambda row: row["path"]) == sorted(rows(tmp_path / "all.parquet"), key=lambda row: row["path"])
    assert len(parts) == 40


def test_the_columns_are_the_documented_ones(folder: Path, tmp_path: Path, fake: Model) -> None:
    file = tmp_path / "v.parquet"
    embed_all(fake, file, folder)
    table = pq.read_table(file)
    assert table.schema.field("vector").type == pa.list_(pa.float32(), fake.dim)
    first = table.slice(0, 1).to_pylist()[0]
    picture = Path(first["path"])
    assert (first["text"], first["line"], first["size"]) == (None, None, picture.stat().st_size)
    assert first["mtime_ns"] == picture.stat().st_mtime_ns
    assert (first["width"], first["height"], len(first["hash"]), len(first["waves"])) == (48, 40, 32, 256)
    np.testing.assert_array_equal(np.float32(first["vector"]), fake.encode_image(picture)[0])
    metadata = table.schema.metadata
    assert (metadata[b"space_id"].decode(), metadata[b"build_id"]) == (fake.space_id, b"fake/float32+float32/fast")


def test_a_shard_without_pictures_is_an_empty_file(folder: Path, tmp_path: Path, fake: Model) -> None:
    empty = next(i for i in range(1, 200) if not list_items([str(folder)], (), Shard(i, 200)).pictures)
    assert embed_all(fake, tmp_path / "e.parquet", folder, shard=Shard(empty, 200)).written == 0
    assert pq.read_table(tmp_path / "e.parquet").num_rows == 0


def test_a_bad_picture_fails_alone(folder: Path, tmp_path: Path, fake: Model) -> None:
    (folder / "1" / "bad.png").write_bytes(b"no picture")
    report = embed_all(fake, tmp_path / "v.parquet", folder)
    assert ([Path(each.path).name for each in report.failed], report.written) == (["bad.png"], 40)


def test_a_name_that_is_not_utf8_keeps_its_bytes(folder: Path, tmp_path: Path, fake: Model) -> None:
    odd = os.fsencode(folder) + b"/\xff.png"
    os.rename(folder / "0" / "00.png", odd)
    embed_all(fake, tmp_path / "v.parquet", folder)
    (row,) = [row for row in rows(tmp_path / "v.parquet") if row["raw_path"] is not None]
    assert (row["raw_path"], row["path"]) == (odd, f"{folder}/\\udcff.png")
    assert embed_all(fake, tmp_path / "v.parquet", folder).kept == 40


# Kept work


class Counted:
    """How many pictures a model has encoded."""

    def __init__(self, model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        encode = model.engine.encode_pixels

        def counted(pixels: np.ndarray) -> np.ndarray:
            self.count += len(pixels)
            return encode(pixels)

        monkeypatch.setattr(model.engine, "encode_pixels", counted)


def test_a_finished_file_is_brought_up_to_date(
    folder: Path, tmp_path: Path, fake: Model, paint: Paint, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted, file = Counted(fake, monkeypatch), tmp_path / "v.parquet"
    assert embed_all(fake, file, folder).written == counted.count == 40
    before, state = file.read_bytes(), file.stat().st_mtime_ns
    assert embed_all(fake, file, folder).kept == 40
    assert (counted.count, file.read_bytes(), file.stat().st_mtime_ns) == (40, before, state)
    paint("0/00.png", "yellow")
    paint("2/new.png", "black")
    (folder / "1" / "01.png").unlink()
    report = embed_all(fake, file, folder)
    assert (counted.count, report.written, report.kept) == (42, 40, 38)
    table = rows(file)
    assert {row["path"] for row in table} == set(map(str, folder.rglob("*.png")))
    (changed,) = [row for row in table if row["path"].endswith("0/00.png")]
    np.testing.assert_array_equal(np.float32(changed["vector"]), fake.encode_image(folder / "0/00.png")[0])
    other = tmp_path / "other.parquet"
    embed_all(fake, other, folder)
    assert sorted(rows(other), key=str) == sorted(table, key=str)
    assert [path.name for path in tmp_path.iterdir() if "kept" in path.name] == []


def test_vectors_of_another_model_are_not_kept(
    folder: Path, tmp_path: Path, fake: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    import seesay

    embed_all(fake, tmp_path / "v.parquet", folder)
    assert embed_all(seesay.fake_model(space_id="beef" * 8), tmp_path / "v.parquet", folder).kept == 0


CHILD = """
import sys, time
import seesay
from seesay.library.embedding import kept, embed
from seesay.library.embedding.listing import list_items
from seesay.library.embedding.shard import Shard
from pathlib import Path
kept.KEPT_ROWS, embed.ADDED_ROWS = 4, 2
model = seesay.fake_model()
encode = model.engine.encode_pixels
done = 0
def slow(pixels):
    global done
    done += 1
    print("batch", flush=True)
    time.sleep(0.05 if done < int(sys.argv[3]) else 60)
    return encode(pixels)
model.engine.encode_pixels = slow
embed.embed(model, list_items([sys.argv[1]], (), Shard()), Path(sys.argv[2]))
"""


@pytest.mark.parametrize("batches", [2, 3])
@pytest.mark.parametrize("kill", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_run_goes_on(
    folder: Path, tmp_path: Path, fake: Model, monkeypatch: pytest.MonkeyPatch, batches: int, kill: signal.Signals
) -> None:
    file = tmp_path / "out" / "v.parquet"
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, folder, file, str(batches)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert child.stdout is not None
    with child.stdout:
        for _ in range(batches):
            assert child.stdout.readline() == "batch\n"
        time.sleep(0.01)
        child.send_signal(kill)
    assert child.wait() != 0
    assert not file.exists()
    counted = Counted(fake, monkeypatch)
    report = embed_all(fake, file, folder)
    assert report.kept >= 16 * (batches - 1)
    assert (report.written, counted.count) == (40, 40 - report.kept)
    embed_all(fake, tmp_path / "whole.parquet", folder)
    assert rows(file) == rows(tmp_path / "whole.parquet")
    assert [path.name for path in file.parent.iterdir()] == ["v.parquet"]


def test_a_damaged_part_costs_its_rows_only(folder: Path, tmp_path: Path, fake: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "v.parquet"
    folder_of_parts = tmp_path / "v.parquet.kept"
    folder_of_parts.mkdir()
    (folder_of_parts / "00000001.parquet").write_bytes(b"PAR1 is how it begins")
    assert embed_all(fake, file, folder).written == 40
    assert not folder_of_parts.exists()


def test_parts_reach_the_disk_while_a_run_goes_on(
    folder: Path, tmp_path: Path, fake: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_module, "KEPT_ROWS", 8)
    monkeypatch.setattr(kept_module, "GROUP_ROWS", 12)
    monkeypatch.setattr("seesay.library.embedding.embed.ADDED_ROWS", 4)
    seen: list[int] = []
    embed(
        fake,
        list_items([str(folder)], (), WHOLE),
        tmp_path / "v.parquet",
        lambda done, total: seen.append(len(list(tmp_path.glob("v.parquet.kept/*.parquet")))),
    )
    assert max(seen) == 5
    groups = pq.ParquetFile(tmp_path / "v.parquet").metadata
    assert [groups.row_group(i).num_rows for i in range(groups.num_row_groups)] == [12, 12, 12, 4]


def test_one_process_at_a_time(folder: Path, tmp_path: Path, fake: Model) -> None:
    from seesay.library.embedding.kept import KeptTable
    from seesay.library.embedding.table import Origin

    with (
        KeptTable(tmp_path / "v.parquet", Origin.of(fake)),
        pytest.raises(InputError, match="is being written by another process"),
    ):
        embed_all(fake, tmp_path / "v.parquet", folder)


# Archives


def add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    tar.addfile(member, io.BytesIO(data))


@pytest.fixture
def tars(folder: Path, tmp_path: Path) -> list[Path]:
    """The folder's pictures in three WebDataset shards."""
    found = [tmp_path / f"{i}.tar" for i in range(3)]
    for i, file in enumerate(found):
        with tarfile.open(file, "w") as tar:
            for picture in sorted((folder / str(i)).iterdir()):
                add(tar, picture.name, picture.read_bytes())
                add(tar, f"{picture.stem}.txt", b"a caption")
    return found


def vectors_by_name(file: Path) -> dict[str, list[float]]:
    return {Path(row["path"]).name: row["vector"] for row in rows(file)}


def test_tars_are_dealt_whole_and_give_the_same_vectors(folder: Path, tars: list[Path], tmp_path: Path, fake: Model) -> None:
    embed_all(fake, tmp_path / "plain.parquet", folder)
    found: dict[str, list[float]] = {}
    for i in (1, 2):
        embed_all(fake, tmp_path / f"{i}.parquet", *tars, shard=Shard(i, 2))
        found |= vectors_by_name(tmp_path / f"{i}.parquet")
    assert found == vectors_by_name(tmp_path / "plain.parquet")
    assert rows(tmp_path / "2.parquet")[0]["path"] == f"{tars[1]}/01.png"
    assert embed_all(fake, tmp_path / "1.parquet", *tars, shard=Shard(1, 2)).kept == 27


def test_a_tar_that_breaks_off_gives_what_it_has(tars: list[Path], tmp_path: Path, fake: Model) -> None:
    whole = tars[0].read_bytes()
    tars[0].write_bytes(whole[: len(whole) // 2 + 100])
    report = embed_all(fake, tmp_path / "v.parquet", *tars)
    assert 26 < report.written < 40
    assert [(each.path, "is a broken tar" in each.reason) for each in report.failed] == [(str(tars[0]), True)]


@pytest.mark.parametrize("kind", ["path", "image", "struct"])
def test_tables_name_pictures_or_hold_them(folder: Path, tmp_path: Path, fake: Model, kind: str) -> None:
    files = sorted(folder.rglob("*.png"))
    columns: dict[str, dict[str, list[Any]]] = {
        "path": {"path": [str(file) for file in files]},
        "image": {"caption": ["x"] * 40, "image": [file.read_bytes() for file in files]},
        "struct": {"image": [{"bytes": file.read_bytes(), "path": file.name} for file in files]},
    }
    table = tmp_path / "in.parquet"
    pq.write_table(pa.table(columns[kind]), table, row_group_size=10)
    found: list[Any] = []
    for i in (1, 2):
        embed_all(fake, tmp_path / f"{i}.parquet", table, shard=Shard(i, 2))
        found += rows(tmp_path / f"{i}.parquet")
    embed_all(fake, tmp_path / "plain.parquet", folder)
    assert sorted(row["vector"] for row in found) == sorted(row["vector"] for row in rows(tmp_path / "plain.parquet"))


def test_a_table_without_pictures_is_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"caption": ["a"]}), tmp_path / "in.parquet")
    with pytest.raises(InputError, match="expected a column of pictures, one of path, .*; got caption"):
        list_items([str(tmp_path / "in.parquet")], (), WHOLE)
