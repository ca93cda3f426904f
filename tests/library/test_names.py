"""Finding by the names of files and folders."""

import os
import sqlite3
from pathlib import Path

import pytest

from seesay.errors import InputError
from seesay.library import Filters, Library
from seesay.library.search.names import file_key, folder_key, name_key
from seesay.library.storage.schema import APPLICATION_ID, DATABASE, MIGRATIONS, connect
from seesay.model import Model
from tests.conftest import Paint


@pytest.fixture
def library(fake: Model, paint: Paint, tmp_path: Path) -> Library:
    for name, colour in (
        ("Mallorca 2019/IMG_2022.png", "red"),
        ("Mallorca 2019/day-1/IMG_2023.png", "blue"),
        ("婚礼/新娘.png", "green"),
        ("work/red.png", "black"),
        ("work/screenshot.png", "blue"),
    ):
        paint(name, colour)
    made = Library(tmp_path / "library", fake)
    made.index(tmp_path / "pictures")
    return made


def found(library: Library, query: str | None = None, **options: object) -> list[str]:
    return [hit.name for hit in library.search(query, **options)]  # type: ignore[arg-type]


def test_names_are_compared_without_case_separators_and_width() -> None:
    assert name_key("IMG_2022") == name_key("img-2022") == name_key("ＩＭＧ　2022") == "img 2022"
    assert file_key("a/b/IMG_2022.tar.JPG") == "img 2022 tar"
    assert folder_key("a/Été-2019") == name_key("été 2019")
    assert file_key(os.fsdecode(b"a/caf\xe9.jpg")) == "caf"
    assert name_key("--") == ""


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("name:IMG_2022", {"IMG_2022.png"}),
        ("name:img", {"IMG_2022.png", "IMG_2023.png"}),
        ("name:mallorca", {"IMG_2022.png", "IMG_2023.png"}),
        ("name:婚礼", {"新娘.png"}),
        ("name:新", {"新娘.png"}),
        ("name:mallorca + name:2023", {"IMG_2023.png"}),
        ("blue - name:mallorca", {"screenshot.png", "新娘.png", "red.png"}),
        ("- name:mallorca - name:work", {"新娘.png"}),
        ('red + name:"day 1"', {"IMG_2023.png"}),
        ("name:nothing", set()),
    ],
)
def test_a_part_of_a_name(library: Library, query: str, names: set[str]) -> None:
    assert set(found(library, query)) == names


def test_a_name_narrows_and_the_rest_ranks(library: Library) -> None:
    assert found(library, "blue + name:IMG")[0] == "IMG_2023.png"
    assert found(library, "red + name:IMG")[0] == "IMG_2022.png"
    assert set(found(library, filters=Filters(name=("mallorca", "2022")))) == {"IMG_2022.png"}


def test_words_that_are_a_name_come_first_and_say_so(library: Library) -> None:
    hits = library.search("Red")
    assert [(hit.name, hit.named) for hit in hits[:2]] == [("red.png", True), ("IMG_2022.png", False)]
    assert len(hits) == 5
    assert hits[0].score is not None
    assert hits[1].score is not None
    assert hits[0].score < hits[1].score  # black, called red: its cosine is told as it is
    assert hits[0].to_json()["named"] is True
    assert "named" not in hits[1].to_json()
    folder = library.search("mallorca 2019")
    assert [hit.named for hit in folder] == [True, True, False, False, False]
    assert [hit.named for hit in library.search("婚礼")][:2] == [True, False]
    assert not any(hit.named for hit in library.search("mallorca"))  # only a part of it
    (picture,) = (hit.path for hit in hits if hit.name == "screenshot.png")
    library.tags.add("Rex", picture)
    tagged = library.search("rex")
    assert (tagged[0].name, [hit.named for hit in tagged]) == ("screenshot.png", [True, False, False, False, False])
    pages, cursor = [], None
    while page := library.search("mallorca 2019", n=1, cursor=cursor):
        pages.append(page[0].id)
        cursor = page[0].cursor
    assert pages == [hit.id for hit in folder]


def test_names_follow_files_that_move_and_roots_that_grow(library: Library, tmp_path: Path) -> None:
    (tmp_path / "pictures" / "婚礼").rename(tmp_path / "pictures" / "wedding")
    library.index()
    assert found(library, "name:wedding") == ["新娘.png"]
    assert found(library, "name:婚礼") == []
    library.index(tmp_path)  # the root is now a folder of another root
    assert found(library, "name:wedding") == ["新娘.png"]
    assert set(found(library, "name:pictures")) == {"IMG_2022.png", "IMG_2023.png", "新娘.png", "red.png", "screenshot.png"}
    library.forget(tmp_path / "pictures" / "work")
    assert found(library, "name:work") == []


def test_a_file_that_is_indexed_by_itself_has_a_name_and_a_folder(fake: Model, paint: Paint, tmp_path: Path) -> None:
    library = Library(tmp_path / "library", fake)
    library.index(paint("trip/boat.png"))
    assert found(library, "name:boat") == found(library, "name:trip") == ["boat.png"]


def test_a_library_of_an_older_version_has_names_as_well(tmp_path: Path) -> None:
    db = sqlite3.connect(tmp_path / DATABASE)
    db.create_function("tag_key", 1, str.casefold, deterministic=True)
    for script in MIGRATIONS[:3]:
        db.executescript(script)
    db.executescript(
        f"""PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = 3;
        INSERT INTO roots VALUES (1, '/photos'), (2, '/one/Alone.jpg');
        INSERT INTO contents (id, hash, kind) VALUES (1, x'00', 'image');
        INSERT INTO files (root_id, path, size, mtime_ns, content_id) VALUES
            (1, 'Trip/Day 1/IMG_1.jpg', 1, 1, 1), (1, CAST(x'636166E92E6A7067' AS BLOB), 1, 1, 1), (2, '', 1, 1, 1);"""
    )
    db.close()
    opened = connect(tmp_path, create=False)
    assert opened.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)
    assert opened.execute("SELECT key FROM files ORDER BY id").fetchall() == [("img 1",), ("caf",), ("alone",)]
    rows = opened.execute("SELECT f.key, p.key FROM folders f LEFT JOIN folders p ON p.id = f.parent_id ORDER BY f.id")
    assert set(rows.fetchall()) == {("photos", None), ("trip", "photos"), ("day 1", "trip"), ("one", None)}
    opened.close()


def test_pictures_found_by_their_name_are_likely_ones(library: Library) -> None:
    named = library.search("mallorca 2019", likely=True)
    assert {hit.name for hit in named if hit.named} == {"IMG_2022.png", "IMG_2023.png"}
    assert all(hit.likely for hit in named)


def test_a_tag_that_no_picture_has_names_the_nearest(library: Library, tmp_path: Path) -> None:
    library.tags.add("Holiday", tmp_path / "pictures" / "work")
    for call in (
        lambda tag: library.search("red", filters=Filters(tag=tag)),
        lambda tag: library.browse(filters=Filters(tag=tag)),
    ):
        with pytest.raises(InputError, match="no picture is tagged 'holliday'; did you mean 'Holiday'"):
            call("holliday")
        with pytest.raises(InputError, match="no picture is tagged 'zzz'$"):
            call("zzz")
        call("HOLIDAY")


@pytest.mark.parametrize("filters", [{"name": "img"}, {"name": ("mallorca", "2023")}, {"not_name": "work"}, {"name": "新"}])
def test_names_are_the_same_looked_at_one_by_one(library: Library, filters: dict[str, object]) -> None:
    wanted = Filters(**filters)  # type: ignore[arg-type]
    with library.session() as session:
        store = session.store
        space = session.space
        everything = store.select(Filters(), space, "image").vectors
        by_names, one_by_one = store.select(wanted, space, "image"), store.select(wanted, space, "image", among=everything)
        assert 0 < len(by_names.vectors) < len(everything)
        assert by_names.vectors.tolist() == one_by_one.vectors.tolist() == sorted(store.items(everything.tolist(), wanted))
