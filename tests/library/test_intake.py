"""Vectors that were made elsewhere, taken into a library: as if they had been indexed here."""

import os
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

import seesay
from seesay.errors import InputError, SpaceMismatch
from seesay.images.decoding.formats import READER
from seesay.library import Library
from seesay.library.embedding.shard import Shard
from seesay.library.vectors.approximate import ApproximateIndex
from seesay.library.vectors.choice import VectorChoice
from seesay.model import Model
from tests.conftest import Paint
from tests.library.test_embedding import Counted, embed_all

# Everything that a database says of pictures and texts, under names instead of numbers.
TABLES = {
    "spaces": "SELECT space_id, dim, model FROM spaces",
    "roots": "SELECT path FROM roots",
    "folders": "SELECT r.path, d.path, d.key, p.path FROM folders d JOIN roots r ON r.id = d.root_id "
    "LEFT JOIN folders p ON p.id = d.parent_id",
    "contents": "SELECT hash, kind, width, height, taken_at, camera, latitude, longitude, waves, reader FROM contents",
    "files": "SELECT r.path, f.path, f.size, f.mtime_ns, c.hash, f.key, d.path FROM files f JOIN roots r ON r.id = f.root_id "
    "LEFT JOIN contents c ON c.id = f.content_id LEFT JOIN folders d ON d.id = f.folder_id",
    "vectors": "SELECT c.hash, i.time_offset_s, i.line, i.text, s.space_id, v.build_id, v.vector FROM vectors v "
    "JOIN items i ON i.id = v.item_id JOIN contents c ON c.id = i.content_id JOIN spaces s ON s.id = v.space",
    "tags": "SELECT c.hash, t.key, t.tag, t.probability FROM tags t JOIN contents c ON c.id = t.content_id",
    "excluded": "SELECT path FROM excluded",
}
AFTER_INDEX = {
    "failures": "SELECT r.path, f.path, x.reason, x.transient, x.reader FROM failures x JOIN files f ON f.id = x.file_id "
    "JOIN roots r ON r.id = f.root_id",
    "skipped": "SELECT r.path, k.folder, k.kind, k.count FROM skipped k JOIN roots r ON r.id = k.root_id",
}


def contents(library: Library, tables: dict[str, str]) -> dict[str, list[Any]]:
    with sqlite3.connect(library.path / "library.db") as db:
        found = {name: sorted(db.execute(sql).fetchall(), key=repr) for name, sql in tables.items()}
    db.close()
    return found


def dump(library: Library) -> dict[str, list[Any]]:
    """Every row of every table, numbers and all."""
    with sqlite3.connect(library.path / "library.db") as db:
        names = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        found = {name: db.execute(f"SELECT * FROM {name}").fetchall() for name in names}
    db.close()
    return found


@pytest.fixture
def folder(paint: Paint, tmp_path: Path) -> Path:
    for i in range(30):
        paint(f"{i % 3}/{i:02}.png", ["red", "green", "blue"][i % 3])
    root = tmp_path / "pictures"
    shutil.copy(root / "0/00.png", root / "1/copy.png")
    exif = Image.Exif()
    exif[0x010F], exif[0x0110], exif[0x0132] = "Maker", "Camera 1", "2019:05:06 07:08:09"
    Image.new("RGB", (64, 48), (200, 30, 20)).save(root / "2/dated.jpg", exif=exif)
    return root


@pytest.fixture
def parts(folder: Path, tmp_path: Path, fake: Model) -> list[Path]:
    found = [tmp_path / f"part-{i}.parquet" for i in (1, 2, 3)]
    for i, part in enumerate(found, start=1):
        embed_all(fake, part, folder, shard=Shard(i, 3))
    return found


def hits(library: Library, query: str) -> list[tuple[str, float]]:
    return [(str(hit.path), float(hit.score or 0)) for hit in library.search(query, n=100)]


def test_an_import_is_what_an_index_run_makes(
    folder: Path, parts: list[Path], tmp_path: Path, fake: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, library = Library(tmp_path / "plain", fake), Library(tmp_path / "library", fake)
    plain.index(folder)
    counted = Counted(fake, monkeypatch)
    report = library.import_vectors(*parts)
    assert (report.taken, report.known, report.changed, report.missing, report.failed) == (32, 0, [], [], [])
    assert contents(library, TABLES) == contents(plain, TABLES)
    assert len(contents(plain, TABLES)["contents"]) == 31
    for query in ("red", "blue", "green - red", "a photo of yellow"):
        assert sorted(hits(library, query)) == sorted(hits(plain, query))
    (folder / "2" / "bad.png").write_bytes(b"no picture")
    (folder / "2" / "film.mp4").write_bytes(b"x")
    plain.index(folder)
    indexed = library.index(folder)
    assert (indexed.encoded, indexed.reused, indexed.unchanged, counted.count) == (0, 0, 32, 0)
    assert contents(library, TABLES | AFTER_INDEX) == contents(plain, TABLES | AFTER_INDEX)
    (group,) = library.duplicates(exact=True)
    assert {Path(copy.path).name for copy in (group.keeper, *group.others)} == {"00.png", "copy.png"}


def test_the_bundled_models_vectors_are_the_same_bits(photos: list[Path], tmp_path: Path, bundled: Model) -> None:
    root = tmp_path / "photos"
    root.mkdir()
    for photo in photos[:21]:
        shutil.copy2(photo, root)
    plain, library = Library(tmp_path / "plain", bundled), Library(tmp_path / "library", bundled)
    plain.index(root)
    for i in (1, 2, 3):
        embed_all(bundled, tmp_path / f"{i}.parquet", root, shard=Shard(i, 3))
    library.import_vectors(*(tmp_path / f"{i}.parquet" for i in (1, 2, 3)))
    assert contents(library, TABLES) == contents(plain, TABLES)
    for query in ("a dog", "a street at night"):
        ours, theirs = dict(hits(library, query)), dict(hits(plain, query))
        assert ours.keys() == theirs.keys()
        np.testing.assert_allclose([ours[path] for path in theirs], list(theirs.values()), atol=1e-6)


def test_the_same_import_twice_changes_nothing(parts: list[Path], tmp_path: Path, fake: Model) -> None:
    library = Library(tmp_path / "library", fake)
    library.import_vectors(*parts)
    before = dump(library)
    report = library.import_vectors(*parts, parts[0])
    assert (report.taken, report.known) == (0, 32)
    assert dump(library) == before


def test_changed_and_missing_pictures_are_told_and_left_out(
    folder: Path, parts: list[Path], tmp_path: Path, fake: Model, paint: Paint, monkeypatch: pytest.MonkeyPatch
) -> None:
    paint("0/00.png", "yellow", size=(60, 50))
    same_size = (folder / "1/01.png").read_bytes()
    (folder / "1/01.png").write_bytes(same_size[:-30] + bytes(30))
    (folder / "2/02.png").unlink()
    os.utime(folder / "0/03.png", ns=(1, 1))
    library = Library(tmp_path / "library", fake)
    report = library.import_vectors(*parts)
    assert sorted(report.changed) == [str(folder / "0/00.png"), str(folder / "1/01.png")]
    assert (report.missing, report.taken) == ([str(folder / "2/02.png")], 29)
    counted = Counted(fake, monkeypatch)
    assert library.index(folder).encoded == counted.count == 2
    (touched,) = [row for row in contents(library, TABLES)["files"] if row[1] == "0/03.png"]
    assert touched[3] == 1


def test_a_folder_that_has_moved_is_named_by_root(folder: Path, parts: list[Path], tmp_path: Path, fake: Model) -> None:
    moved = tmp_path / "moved"
    folder.rename(moved)
    library = Library(tmp_path / "library", fake)
    with pytest.raises(InputError, match="which is not here. Name the folder that the pictures lie in now with --root"):
        library.import_vectors(*parts)
    assert library.import_vectors(*parts, root=moved).taken == 32
    plain = Library(tmp_path / "plain", fake)
    plain.index(moved)
    assert contents(library, TABLES) == contents(plain, TABLES)


def test_a_relative_folder_is_found_again(folder: Path, tmp_path: Path, fake: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    embed_all(fake, tmp_path / "v.parquet", "pictures")
    monkeypatch.chdir("/")
    library = Library(tmp_path / "library", fake)
    assert library.import_vectors(tmp_path / "v.parquet").taken == 32
    assert list(library.stats()["roots"]) == [{"path": str(folder), "available": True}]


def test_a_chosen_index_has_what_was_imported(parts: list[Path], tmp_path: Path, fake: Model) -> None:
    pytest.importorskip("usearch")
    library = Library(tmp_path / "library", fake)
    with library.writing() as store:
        VectorChoice.of("usearch").write(store.folder)
    library.import_vectors(*parts)
    with library.session() as session:
        index = session.index
        assert isinstance(index, ApproximateIndex)
        assert index.finder.reach("image").rows == len(session.vectors("image").ids) == 31


def test_lists_of_texts_need_all_their_lines(folder: Path, tmp_path: Path, fake: Model) -> None:
    words = tmp_path / "words.txt"
    words.write_text("red\n\ngreen\nblue\nyellow\nblack\n")
    files = [tmp_path / f"{i}.parquet" for i in (1, 2)]
    for i, file in enumerate(files, start=1):
        embed_all(fake, file, words, folder, shard=Shard(i, 2), texts=("alone",))
    library, plain = Library(tmp_path / "library", fake), Library(tmp_path / "plain", fake)
    report = library.import_vectors(files[0])
    ((path, reason),) = [(each.path, each.reason) for each in report.failed]
    assert path == str(words)
    assert reason.endswith("of its 5 lines are not here; index it")
    report = library.import_vectors(*files)
    assert (report.failed, report.texts, report.outside) == ([], 5, 1)
    plain.index(words, folder)
    assert contents(library, TABLES) == contents(plain, TABLES)
    assert library.index(words).texts == 0


def test_what_an_index_run_does_not_take_is_left_out(folder: Path, tmp_path: Path, fake: Model) -> None:
    library = Library(tmp_path / "library", fake)
    library.index(folder, exclude=[folder / "1"])
    embed_all(fake, tmp_path / "v.parquet", folder)
    report = library.import_vectors(tmp_path / "v.parquet")
    assert (report.known, report.taken, report.outside) == (21, 0, 11)


# Refusals


def test_another_space_or_build_is_refused(parts: list[Path], folder: Path, tmp_path: Path, fake: Model) -> None:
    other = seesay.fake_model(space_id="beef" * 8)
    library = Library(tmp_path / "library", fake)
    library.import_vectors(*parts)
    before = dump(library)
    embed_all(other, tmp_path / "other.parquet", folder)
    with pytest.raises(SpaceMismatch, match="cannot be compared with those of 'fake'"):
        library.import_vectors(tmp_path / "other.parquet")
    change(parts[0], {b"build_id": b"torch/float16/fast"})
    with pytest.raises(InputError, match="was made by torch/float16/fast, the library or the first file by fake/float32"):
        library.import_vectors(parts[0])
    with pytest.raises(InputError, match="was made by"):
        Library(tmp_path / "new", fake).import_vectors(parts[1], parts[0])
    assert dump(library) == before
    report = library.import_vectors(tmp_path / "other.parquet", mixed=True)
    assert (report.taken, report.known) == (31, 1)  # the copy is there by then
    assert len(library.stats()["spaces"]) == 2


def change(file: Path, metadata: dict[bytes, bytes] | None = None, **columns: Any) -> None:
    """Rewrites a file with other metadata, or other columns."""
    table = pq.read_table(file)
    for name, values in columns.items():
        at = table.schema.get_field_index(name)
        table = table.set_column(at, table.schema.field(name), pa.array(values, type=table.schema.field(name).type))
    pq.write_table(table.replace_schema_metadata(table.schema.metadata | (metadata or {})), file)


def test_vectors_that_are_none_are_told_and_left_out(parts: list[Path], tmp_path: Path, fake: Model) -> None:
    vectors = pq.read_table(parts[0]).column("vector").to_pylist()
    vectors[0][3] = float("nan")
    vectors[1] = [2 * x for x in vectors[1]]
    vectors[2] = [0.0] * fake.dim
    hashes = pq.read_table(parts[0]).column("hash").to_pylist()
    hashes[3] = b"short"
    change(parts[0], vector=vectors, hash=hashes)
    library = Library(tmp_path / "library", fake)
    report = library.import_vectors(*parts)
    assert [each.reason for each in report.failed] == [
        "its vector has numbers that are not finite",
        "its vector has the length 2 instead of 1",
        "its vector has the length 0 instead of 1",
        "the facts of the picture are missing or damaged",
    ]
    assert report.taken == 28


def test_a_path_that_leaves_the_folder_is_left_out(folder: Path, parts: list[Path], tmp_path: Path, fake: Model) -> None:
    table = pq.read_table(parts[0])
    outside = tmp_path / "outside.png"
    shutil.copy2(table.column("path")[0].as_py(), outside)
    paths = table.column("path").to_pylist()
    change(parts[0], path=[f"{folder}/../outside.png", *paths[1:]])
    report = Library(tmp_path / "library", fake).import_vectors(parts[0])
    assert (report.outside, report.taken) == (1, len(paths) - 1)


def test_files_of_others_are_refused(folder: Path, parts: list[Path], tmp_path: Path, fake: Model) -> None:
    library = Library(tmp_path / "library", fake)
    text, table = tmp_path / "a.txt", tmp_path / "a.parquet"
    text.write_text("x")
    pq.write_table(pa.table({"path": ["a"], "vector": [[1.0]]}), table)
    with pytest.raises(InputError, match="is not a Parquet file that can be read"):
        library.import_vectors(text)
    with pytest.raises(InputError, match="expected a Parquet file as this version of seesay embed writes it"):
        library.import_vectors(table)
    with pytest.raises(InputError, match="not a Parquet file that can be read"):
        library.import_vectors(tmp_path / "none.parquet")
    whole = parts[0].read_bytes()
    parts[0].write_bytes(whole[:500] + bytes(500) + whole[1000:])
    with pytest.raises(InputError, match="is damaged"):
        library.import_vectors(parts[0])
    change(parts[1], {b"reader": str(READER + 1).encode()})
    with pytest.raises(InputError, match="was written by a newer SeeSay"):
        library.import_vectors(parts[1])


def test_facts_of_an_older_reader_are_read_again_and_keep_their_vectors(
    folder: Path, parts: list[Path], tmp_path: Path, fake: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    for part in parts:
        change(part, {b"reader": str(READER - 1).encode()})
    library, plain = Library(tmp_path / "library", fake), Library(tmp_path / "plain", fake)
    library.import_vectors(*parts)
    counted = Counted(fake, monkeypatch)
    report = library.index(folder)
    assert (counted.count, report.encoded, report.reread) == (0, 0, 32)
    plain.index(folder)
    assert contents(library, TABLES) == contents(plain, TABLES)


def test_an_interrupted_import_goes_on(parts: list[Path], tmp_path: Path, fake: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    from seesay.library.storage.store import Store

    monkeypatch.setattr("seesay.library.embedding.table.READ_ROWS", 5)
    library, plain = Library(tmp_path / "library", fake), Library(tmp_path / "plain", fake)
    put_file, calls = Store.put_file, 0

    def interrupted(store: Store, *arguments: Any) -> int:
        nonlocal calls
        calls += 1
        if calls == 14:
            raise KeyboardInterrupt
        return put_file(store, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(Store, "put_file", interrupted)
        with pytest.raises(KeyboardInterrupt):
            library.import_vectors(*parts)
    found = len(library.search("red", n=100))
    assert 5 <= found <= 13
    report = library.import_vectors(*parts)
    assert report.known + report.taken == 32
    assert report.known >= found
    plain.import_vectors(*parts)
    assert contents(library, TABLES) == contents(plain, TABLES)
