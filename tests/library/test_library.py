"""The library on real files: what an index run reads, keeps, forgets, and what search then finds."""

import hashlib
import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import seesay
from seesay.errors import InputError, LibraryError, LibraryLocked, NoLibrary, SpaceMismatch, UnreadableImage
from seesay.library import Filters, Library
from seesay.model import Model
from tests.conftest import Paint


@pytest.fixture
def library(tmp_path: Path, fake: Model) -> Library:
    return Library(tmp_path / "library", fake)


@pytest.fixture
def folder(paint: Paint) -> Path:
    for name in ("a/red-1.png", "a/red-2.jpg", "b/green.png", "b/deep/blue.webp"):
        paint(name, Path(name).stem.split("-")[0])
    return paint("yellow.bmp", "yellow").parent


def names(hits: list[seesay.Hit]) -> list[str]:
    return [Path(hit.path).name for hit in hits]


def test_index_then_search_in_words_and_by_picture(library: Library, folder: Path) -> None:
    report = library.index(folder)
    assert (report.encoded, report.failed, report.unchanged) == (5, [], 0)
    hits = library.search("red", n=2)
    assert set(names(hits)) == {"red-1.png", "red-2.jpg"}
    assert hits[0].score > 0.9
    assert (hits[0].width, hits[0].height, hits[0].kind) == (48, 40, "image")
    assert names(library.search(image=folder / "b/green.png", n=1)) == ["green.png"]
    assert library.search(image=folder / "b/green.png", n=1)[0].score == pytest.approx(1, abs=1e-5)
    assert len(library.search("red", n=100)) == 5
    assert names(library.search_vector(library.model.encode_text("blue")[0], n=1)) == ["blue.webp"]


def test_scores_are_the_exact_cosines(library: Library, folder: Path) -> None:
    library.index(folder)
    for hit in library.search("blue", n=5):
        picture = library.model.with_decode("fast").encode_image(hit.path)
        assert hit.score == pytest.approx(float((picture @ library.model.encode_text("blue").T)[0, 0]), abs=1e-5)


def test_parts_of_a_query_add_up(library: Library, folder: Path) -> None:
    library.index(folder)
    green, blue = folder / "b/green.png", folder / "b/deep/blue.webp"
    (best,) = library.search(image=green, n=1)
    encode = library.model.encode_text
    pictures = library.model.with_decode("fast").encode_image([green, blue])
    for query, vector in {
        "2*red + 0.5*a blue square": 2 * encode("red")[0] + 0.5 * encode("blue square")[0],
        f'photo:"{green}" + red': pictures[0] + encode("red")[0],
        f"photo:{blue} + red + like:{best.id}": encode("red")[0] + pictures[0] + pictures[1],
        "- blue": encode("blue")[0] * -1,
    }.items():
        found, wanted = library.search(query, n=5), library.search_vector(vector, n=5)
        assert names(found) == names(wanted), query
        np.testing.assert_allclose([hit.score for hit in found], [hit.score for hit in wanted], rtol=0, atol=2e-5)
    both = library.search("red", image=green, n=5)
    assert names(both) == names(library.search(f"red + photo:{green}", n=5))
    assert set(names(library.search("red - blue", n=2))) == {"red-1.png", "red-2.jpg"}
    assert set(names(library.search("yellow - red", n=2))) == {"yellow.bmp", "green.png"}
    plain, less = library.search("yellow", n=5), library.search("yellow - 3*red", n=5)
    assert {hit.name: hit.score for hit in plain} == {hit.name: hit.score for hit in less}  # cosines to what is looked for
    assert names(plain) != names(less)


def test_a_search_goes_on_behind_a_hit(library: Library, folder: Path, paint: Paint, tmp_path: Path) -> None:
    for number in range(40):
        paint(f"many/{number}.png", ("red", "green", "blue", "yellow")[number % 4])
    table = tmp_path / "captions.txt"
    table.write_text("".join(f"{text}\n" for text in ("dog", "Dog", "a red dog", "dog ", "red", "dog")), encoding="utf-8")
    library.index(folder, table)
    whole = [hit.id for hit in library.search("red", n=100)]
    assert len(whole) == 45
    for n in (1, 7, 45):
        pages, cursor = [], None
        while page := library.search("red", n=n, cursor=cursor):
            pages += [hit.id for hit in page]
            cursor = page[-1].cursor
        assert pages == whole
    texts = [hit.text for hit in library.search("dog", n=100, kind="text")]
    found, cursor = [], None
    while page := library.search("dog", n=1, kind="text", cursor=cursor):
        found.append(page[0].text)
        cursor = page[0].cursor
    assert found == texts
    assert len(set(texts)) == len(texts)
    third = library.search("red", n=3)[-1]
    paint("new.png", "red")
    library.index()
    library.forget(third.path)
    rest = [hit.id for hit in library.search("red", n=100, cursor=third.cursor)]
    assert [item for item in rest if item in whole] == whole[3:]
    for wrong in ("", "x", "nan/1", "0.5", "0.5/zzz", "0.5/1/1", "0.5/-1"):
        with pytest.raises(InputError, match="expected the cursor of a hit"):
            library.search("red", cursor=wrong)


def test_an_id_is_of_the_content(library: Library, folder: Path, tmp_path: Path) -> None:
    library.index(folder)
    table = tmp_path / "captions.tsv"
    table.write_text("text\nblue\ngreen\n", encoding="utf-8")
    library.index(table)
    (green,) = library.search("green", n=1)
    assert green.id == hashlib.sha256(Path(green.path).read_bytes()).hexdigest()[:12]
    text = next(hit for hit in library.search("green", n=2, kind="text") if hit.text == "green")
    assert text.id == f"{hashlib.sha256(table.read_bytes()).hexdigest()[:12]}:3"
    assert library.search(f"like:{text.id}", n=1)[0].path == green.path
    assert library.search(f"like:{green.id}", n=1)[0].score == pytest.approx(1, abs=1e-5)
    library.forget(green.path)
    with pytest.raises(InputError, match="has nothing with that id"):
        library.search(f"like:{green.id}")


def test_a_second_run_reads_nothing(library: Library, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library.index(folder)

    def refuse(*_: object) -> bytes:
        raise AssertionError("a file was read")

    monkeypatch.setattr("seesay.library.indexing.indexer.read_bytes", refuse)
    report = library.index()
    assert (report.encoded, report.reused, report.unchanged, report.removed) == (0, 0, 5, 0)


def test_new_changed_renamed_copied_and_deleted_files(library: Library, folder: Path, paint: Paint) -> None:
    library.index(folder)
    paint("new.png", "blue")
    paint("b/green.png", "black")
    (folder / "a/red-1.png").rename(folder / "b/moved.png")
    shutil.copy(folder / "a/red-2.jpg", folder / "copy.jpg")
    (folder / "yellow.bmp").unlink()
    report = library.index(folder)
    assert (report.encoded, report.reused, report.removed, report.unchanged) == (2, 2, 2, 2)
    found = {Path(hit.path).name: hit for hit in library.search("red", n=20)}
    assert found.keys() == {"moved.png", "red-2.jpg", "green.png", "blue.webp", "new.png"}
    assert [Path(copy).name for copy in found["red-2.jpg"].copies] == ["copy.jpg"]
    assert names(library.search("black", n=1)) == ["green.png"]


def test_a_picture_that_changes_back_is_not_encoded_again_within_a_run(library: Library, folder: Path) -> None:
    library.index(folder)
    os.utime(folder / "a/red-1.png", ns=(1, 1))
    report = library.index()
    assert (report.encoded, report.reused) == (0, 1)


def test_an_interrupted_run_leaves_nothing_of_replaced_pictures(
    library: Library, folder: Path, paint: Paint, monkeypatch: pytest.MonkeyPatch
) -> None:
    library.index(folder)
    paint("a/red-1.png", "black")
    paint("yellow.bmp", "black")
    monkeypatch.setattr("seesay.library.indexing.indexer.COMMIT_ROWS", 1)
    monkeypatch.setattr("seesay.library.indexing.indexer.IMAGE_BATCH", 1)

    def stop(done: int, total: int) -> None:
        if done == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        library.index(progress=stop)
    assert library.stats()["spaces"][0]["vectors"] == {"image": 5}
    assert library.index().encoded == 1


def test_an_interrupted_list_of_texts_goes_on_where_it_was(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lines.txt").write_text("\n".join("abcd"))
    monkeypatch.setattr("seesay.library.indexing.indexer.TEXT_ROWS", 2)
    encode, asked = library.model.engine.encode_tokens, list[int]()

    def some(*given: np.ndarray) -> np.ndarray:
        asked.append(len(given[0]))
        if len(asked) == 2:
            raise KeyboardInterrupt
        return encode(*given)

    monkeypatch.setattr(library.model.engine, "encode_tokens", some)
    with pytest.raises(KeyboardInterrupt):
        library.index(tmp_path / "lines.txt")
    library.index(tmp_path / "lines.txt")
    assert asked == [2, 2, 2]


def test_more_hits_may_be_asked_for_than_sqlite_takes_values(library: Library, folder: Path) -> None:
    library.index(folder)
    with library.session() as session:
        store = session.store
        store.db.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, 32_766)  # its default; some builds take more
        many = range(1, 40_000)
        assert len(store.items(many, Filters())) == store.live(np.array(many)).sum() == 5


def test_deleted_pictures_leave_no_vectors(library: Library, folder: Path) -> None:
    library.index(folder)
    shutil.rmtree(folder / "a")
    library.index(folder)
    assert library.stats()["spaces"][0]["vectors"] == {"image": 3}
    assert library.forget(folder / "b") == 2
    assert names(library.search("red")) == ["yellow.bmp"]
    assert library.stats()["spaces"][0]["vectors"] == {"image": 1}


@pytest.mark.parametrize("how", ["gone", "empty"])
def test_a_folder_that_is_not_mounted_is_kept(library: Library, folder: Path, how: str) -> None:
    library.index(folder)
    folder.rename(folder.parent / "unplugged")
    if how == "empty":
        folder.mkdir()
    report = library.index()
    assert report.missing == [str(folder)]
    assert report.removed == 0
    hits = library.search("red", n=9)
    assert len(hits) == 5
    assert not any(hit.available for hit in hits)
    assert hits[0].to_json()["available"] is False
    if how == "empty":
        folder.rmdir()
    (folder.parent / "unplugged").rename(folder)
    assert library.index().unchanged == 5


def test_an_unreadable_subfolder_deletes_nothing(library: Library, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library.index(folder)
    listed = os.scandir

    def scandir(path: str) -> object:
        if str(path).endswith("b"):
            raise PermissionError(13, "Permission denied")
        return listed(path)

    monkeypatch.setattr("seesay.library.indexing.crawl.os.scandir", scandir)
    report = library.index()
    assert report.removed == 0
    assert [f.reason for f in report.failed] == ["cannot list this folder (Permission denied)"]
    assert len(library.search("red", n=9)) == 5


def test_bad_files_are_kept_with_their_reason_and_not_read_again(library: Library, folder: Path) -> None:
    (folder / "cut.jpg").write_bytes((folder / "a/red-2.jpg").read_bytes()[:200])
    (folder / "notes.png").write_text("hello")
    report = library.index(folder)
    assert report.encoded == 5
    assert sorted(Path(f.path).name for f in report.failed) == ["cut.jpg", "notes.png"]
    again = library.index()
    assert again.encoded == 0
    assert [failure.known for failure in (*report.failed, *again.failed)] == [False, False, True, True]
    assert again.new_failures == []
    assert [tries for *_, tries in library.failures()] == [1, 1]
    (folder / "cut.jpg").write_bytes((folder / "a/red-2.jpg").read_bytes()[:250])
    assert [Path(failure.path).name for failure in library.index().new_failures] == ["cut.jpg"], "it is another file now"
    Image.new("RGB", (9, 9), "red").save(folder / "notes.png")
    assert library.index().encoded == 1
    assert [Path(path).name for path, *_ in library.failures()] == ["cut.jpg"]


def test_a_file_without_permission_is_tried_again(library: Library, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import seesay.library.indexing.indexer as indexer

    real = indexer.read_bytes

    def refuse(path: Path, name: str) -> bytes:
        if path.name == "green.png":
            raise UnreadableImage(name, "no permission to read it", transient=True)
        return real(path, name)

    monkeypatch.setattr(indexer, "read_bytes", refuse)
    assert [f.reason for f in library.index(folder).failed] == ["no permission to read it"]
    again = library.index()
    assert ([f.reason for f in again.failed], again.new_failures) == (["no permission to read it"], [])
    assert library.failures()[0][2] == 2
    monkeypatch.setattr(indexer, "read_bytes", real)
    assert library.index().encoded == 1
    assert library.failures() == []


def test_copies_within_one_run_are_encoded_once(
    library: Library, folder: Path, monkeypatch: pytest.MonkeyPatch, paint: Paint
) -> None:
    encoded: list[int] = []
    real = type(library.model).encode_pixels
    monkeypatch.setattr(
        type(library.model), "encode_pixels", lambda model, pixels: encoded.append(len(pixels)) or real(model, pixels)
    )
    library.index(folder)
    library.tags.add("kept", folder / "b/green.png")
    encoded.clear()
    new = paint("new.png", "yellow")
    for number in range(99):
        shutil.copy(new, folder / f"copy-{number:02}.png")
    shutil.copy(new, folder / "b/green.png")  # edited into the same: what was said of it stays
    report = library.index()
    assert sum(encoded) == report.encoded == 1
    assert report.reused == 100
    (hit,) = library.search(filters=Filters(tag="kept"))
    assert len({hit.path, *hit.copies}) == 101


def test_under_limits_to_a_folder(library: Library, folder: Path) -> None:
    library.index(folder)
    assert set(names(library.search("red", filters=Filters(under=folder / "b")))) == {"green.png", "blue.webp"}
    assert names(library.search("red", filters=Filters(under=folder / "b/deep"))) == ["blue.webp"]
    assert len(library.search("red", filters=Filters(under=folder.parent))) == 5
    assert not library.search("red", filters=Filters(under=folder / "b/dee"))
    shutil.copy(folder / "a/red-1.png", folder / "b/red-copy.png")
    library.index()
    assert Path(library.search("red", filters=Filters(under=folder / "b"), n=1)[0].path).name == "red-copy.png"


def test_names_that_are_not_utf8_are_indexed(library: Library, paint: Paint, tmp_path: Path) -> None:
    odd = Path(os.fsdecode(b"caf\xe9"))
    path = paint("red.png", "red")
    target = path.parent / odd / os.fsdecode(b"\xff\xfe.png")
    target.parent.mkdir()
    path.rename(target)
    paint("blue.png", "blue")
    assert library.index(path.parent).encoded == 2
    hit = library.search("red", n=1)[0]
    assert Path(hit.path) == target
    assert hit.available
    assert str(hit).endswith("caf\\xe9/\\xff\\xfe.png")
    assert Path(library.search("red", n=1, filters=Filters(under=target.parent))[0].path) == target
    assert library.index().unchanged == 2
    target.unlink()
    assert library.index().removed == 1


def test_overlapping_folders_are_one(library: Library, folder: Path) -> None:
    library.index(folder / "b")
    library.index(folder / "a/red-1.png")
    report = library.index(folder)
    assert (report.encoded, report.unchanged) == (2, 3)
    assert [root["path"] for root in library.stats()["roots"]] == [str(folder)]
    assert len(library.search("red", n=20)) == 5
    assert all(hit.copies == () for hit in library.search("red", n=20))
    assert library.index(folder / "b", folder, folder / "a").unchanged == 5


def test_texts_are_items_too(library: Library, tmp_path: Path, paint: Paint) -> None:
    table = tmp_path / "captions.tsv"
    table.write_text('image\ttext\n1.jpg\ta red "thing\n2.jpg\tgreen leaves\n3.jpg\tgreen leaves\n4.jpg\t\n', encoding="utf-8")
    report = library.index(table)
    assert (report.texts, report.failed) == (3, [])
    hits = library.search(image=paint("p.png", "green"), kind="text", n=5)
    assert [(hit.text, hit.line) for hit in hits] == [("green leaves", 3), ('a red "thing', 2)]
    assert not library.search("green")
    encoded = []
    real = library.model.encode_text
    library.model.encode_text = lambda texts, **k: encoded.extend(texts) or real(texts, **k)  # type: ignore[method-assign]
    table.write_text('text\na red "thing\nblue sky\n', encoding="utf-8")
    assert library.index().texts == 2
    assert encoded == ["blue sky"]
    assert {hit.text for hit in library.search("blue", kind="text")} == {'a red "thing', "blue sky"}


def test_a_list_of_texts_beside_its_folder(library: Library, tmp_path: Path, paint: Paint) -> None:
    paint("red.png", "red")
    folder, listed = tmp_path / "pictures", tmp_path / "pictures" / "captions.txt"
    listed.write_text("a red thing\ngreen leaves\n", encoding="utf-8")
    report = library.index(folder, listed, listed)
    assert (report.encoded, report.texts, report.failed) == (1, 2, [])
    again = library.index(folder, listed)
    assert (again.encoded, again.texts, again.unchanged, again.removed) == (0, 0, 2, 0)
    listed.write_text("a red thing\nblue sky\n", encoding="utf-8")
    assert library.index(listed, folder).texts == 2
    assert [hit.text for hit in library.search("red", kind="text")] == ["a red thing", "blue sky"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.tsv", b"a\tb\n1\t2\n", "has 2 columns and none is called text, caption"),
        ("t.txt", b"\xff\xfe\x00", "is not UTF-8 text"),
        ("t.txt", b"\n \n", "holds no texts"),
        ("t.csv", b"text\nab\0c\n", "holds zero bytes"),
    ],
)
def test_bad_lists_of_texts_are_explained(library: Library, tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    (failed,) = library.index(tmp_path / name).failed
    assert message in failed.reason


def test_csv_quotes_and_plain_lists(library: Library, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text('id,caption\n1,"red, very red"\n', encoding="utf-8-sig")
    (tmp_path / "t.txt").write_text("blue\ngreen\n")
    (tmp_path / "semicolons.csv").write_text("id;caption\n1;black\n", encoding="utf-8")
    library.index(tmp_path / "t.csv", tmp_path / "t.txt", tmp_path / "semicolons.csv")
    assert [hit.text for hit in library.search("red", kind="text", n=1)] == ["red, very red"]
    assert {hit.text for hit in library.search("red", kind="text")} == {"red, very red", "blue", "green", "black"}


def test_two_models_live_side_by_side(tmp_path: Path, folder: Path) -> None:
    first, second = seesay.fake_model(), seesay.fake_model(dim=8, space_id="b" * 32)
    Library(tmp_path / "library", first).index(folder)
    other = Library(tmp_path / "library", second)
    with pytest.raises(SpaceMismatch, match=r"holds vectors of 'fake' \(space fa4efa4e\).*makes vectors of space bbbbbbbb"):
        other.search("red")
    report = other.index()
    assert report.encoded == 5
    assert other.search("red", n=1)[0].score > 0.9
    assert len(Library(tmp_path / "library", first).search("red", n=9)) == 5


def test_missing_empty_and_foreign_libraries_are_explained(tmp_path: Path, fake: Model) -> None:
    with pytest.raises(NoLibrary, match="there is no library at .*Make one with: seesay index FOLDER"):
        Library(tmp_path / "none", fake).search("red")
    with pytest.raises(NoLibrary, match="there is no library"):
        Library(tmp_path / "none", fake).index()
    assert not (tmp_path / "none").exists()
    full = tmp_path / "full"
    full.mkdir()
    (full / "letter.txt").write_text("dear")
    with pytest.raises(LibraryError, match="is not empty and not a SeeSay library"):
        Library(full, fake).index(tmp_path)
    sqlite3.connect(full / "library.db").execute("CREATE TABLE x (y)").connection.close()
    with pytest.raises(LibraryError, match="is a database of another program"):
        Library(full, fake).search("red")
    (full / "library.db").write_bytes(b"x" * 5000)
    with pytest.raises(LibraryError, match="is not a SeeSay library that can be opened"):
        Library(full, fake).search("red")
    with pytest.raises(LibraryError, match="is a file; a library is a folder"):
        Library(full / "letter.txt", fake).index(tmp_path)


def test_a_damaged_database_is_one_message(library: Library, folder: Path) -> None:
    library.index(folder)
    library.close()
    file = library.path / "library.db"
    data = bytearray(file.read_bytes())
    data[4096:] = b"\xff" * (len(data) - 4096)
    file.write_bytes(data)
    for use in (lambda: library.search("red"), library.stats, library.failures, lambda: library.index(folder)):
        with pytest.raises(LibraryError, match="cannot be (read|opened)|is not a SeeSay library|cannot write"):
            use()


def test_a_library_without_pictures_says_how_to_fill_it(library: Library, tmp_path: Path, fake: Model) -> None:
    (tmp_path / "pictures").mkdir()
    assert library.index(tmp_path / "pictures").encoded == 0
    assert not library.search("red")


def test_a_newer_schema_is_refused(library: Library, folder: Path) -> None:
    library.index(folder)
    library.close()
    sqlite3.connect(library.path / "library.db").execute("PRAGMA user_version = 99").connection.close()
    with pytest.raises(LibraryError, match=r"made by a newer SeeSay \(schema 99\)"):
        library.search("red")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ({"query": " "}, "the query is empty"),
        ({}, "search takes a query, an image=, or filters= or sort="),
        ({"query": "red +"}, "expected words, photo:FILE, name:NAME or like:ID here"),
        ({"query": "name:--"}, "a letter or digit in it"),
        ({"query": "red", "score": "best"}, "score is 'rank' or 'cosine'"),
        ({"filters": Filters(tag="dgo")}, "no picture is tagged 'dgo'"),
        ({"filters": Filters(min_score=0.1)}, "nothing is searched for, so nothing has a score"),
        ({"sort": "newest", "kind": "text"}, "texts have no date"),
        (
            {"query": "like:000000000000"},
            "the library has nothing with that id, seen by this model\n    like:000000000000\n    ^",
        ),
        ({"query": "photo:nowhere.png"}, "nowhere.png"),
        ({"query": "red", "n": 0}, "n must be at least 1"),
        ({"query": "red", "kind": "video"}, "kind is 'image' or 'text'"),
    ],
)
def test_wrong_searches_are_explained(library: Library, folder: Path, call: dict[str, object], message: str) -> None:
    library.index(folder)
    with pytest.raises(InputError) as caught:
        library.search(**call)  # type: ignore[arg-type]
    assert message in str(caught.value)
    with pytest.raises(InputError, match=r"expected a vector \(16,\)"):
        library.search_vector(np.zeros(3))


def test_one_writer_at_a_time_and_readers_are_free(library: Library, folder: Path, fake: Model) -> None:
    library.index(folder)
    other = Library(library.path, fake)
    with library.writing():
        with pytest.raises(LibraryLocked, match=rf"is being written to by process {os.getpid()}\. Wait until it is done"):
            other.index(folder)
        assert len(other.search("red")) == 5
    assert other.index(folder).unchanged == 5


def test_wrong_paths_change_nothing(library: Library, folder: Path) -> None:
    library.index(folder)
    with pytest.raises(InputError, match="nowhere: no such file or folder"):
        library.index(folder / "nowhere")
    assert len(library.stats()["roots"]) == 1


def test_hidden_files_and_links_to_folders_are_passed_over(library: Library, folder: Path, paint: Paint) -> None:
    paint(".hidden.png")
    paint(".thumbnails/x.png")
    (folder / "loop").symlink_to(folder, target_is_directory=True)
    (folder / "dangling.png").symlink_to(folder / "nothing.png")
    assert library.index(folder).encoded == 5


def test_a_read_only_library_can_be_searched(library: Library, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library.index(folder)
    library.close()
    for file in library.path.glob("library.db-*"):
        file.unlink()
    monkeypatch.setattr("seesay.library.storage.schema.os.access", lambda *_: False)
    assert len(library.search("red", n=9)) == 5
    with pytest.raises(LibraryError, match="is read-only; use another --library to index"):
        Library(library.path, library.model).index(folder)
    assert not list(library.path.glob("library.db-*"))  # it was really opened without side files


def test_files_of_other_kinds_are_counted_and_refused_by_name(library: Library, folder: Path) -> None:
    for name in ("a.CR2", "b.cr2", "film.mp4", "notes.docx"):
        (folder / name).write_bytes(b"x")
    assert library.index(folder).skipped == {"raw photo": 2, "video": 1}
    with pytest.raises(InputError, match=r"film\.mp4 is a video, which is not read \("):
        Library(library.path, library.model).index(folder / "film.mp4")
    with pytest.raises(InputError, match=r"notes\.docx is neither a picture that SeeSay reads nor a"):
        Library(library.path, library.model).index(folder / "notes.docx")


def test_default_place_follows_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Library().path.parts[-2:] == ("seesay", "library")
    monkeypatch.setenv("SEESAY_LIBRARY", str(tmp_path / "mine"))
    assert Library().path == tmp_path / "mine"


def test_what_is_excluded_stays_out_until_it_is_named(library: Library, folder: Path) -> None:
    library.index(folder)
    report = library.index(folder, exclude=[folder / "b"])
    assert (report.removed, report.unchanged) == (2, 3)
    assert library.stats()["excluded"] == [str(folder / "b")]
    for _ in range(2):
        assert library.index().encoded == 0
    shutil.copytree(folder / "b", folder / "bb")
    assert library.index(folder.parent).encoded == 2, "only that folder itself, also when a folder above is indexed"
    with pytest.raises(InputError, match=r"b/deep lies in .*/b, which is excluded; to take that back: seesay index .*/b$"):
        library.index(folder / "b/deep")
    with pytest.raises(InputError, match="which is to be excluded too"):
        library.index(folder / "b", exclude=[folder / "b"])
    with pytest.raises(InputError, match="typo: no such file or folder to exclude"):
        library.index(exclude=[folder / "typo"])
    assert library.forget(folder / "a/red-1.png", keep_out=True) == 1
    assert library.index().encoded == 0
    again = library.index(folder / "b")
    assert again.encoded + again.reused == 2
    assert library.stats()["excluded"] == [str(folder / "a/red-1.png")]
    assert len(library.browse().ids) == 4


def test_a_library_of_before_exclusion_is_brought_up_to_date(library: Library, folder: Path) -> None:
    library.index(folder)
    library.close()
    with closing(sqlite3.connect(library.path / "library.db")) as db:
        db.executescript(
            """DROP TABLE regions; DROP TABLE excluded; DROP TABLE skipped; ALTER TABLE contents DROP COLUMN reader;
               ALTER TABLE failures DROP COLUMN reader; PRAGMA user_version = 4"""
        )
    assert library.index(exclude=[folder / "b"]).removed == 2


def test_a_matrix_that_cannot_be_written_is_told_and_loses_nothing(library: Library, folder: Path, paint: Paint) -> None:
    library.index(folder)
    (vectors,) = (library.path / "vectors").iterdir()
    shutil.rmtree(vectors)
    vectors.write_text("in its place")
    paint("new.png", "green")
    with pytest.raises(LibraryError, match="cannot write the vectors beside the library, in .*What was indexed so far is kept"):
        library.index()
    assert len(library.search("red", n=9)) == 5
    vectors.unlink()
    assert library.index().encoded == 1
    assert len(library.search("red", n=9)) == 6
