"""Filters by what is known of pictures: each alone, together, and the same answer whichever way a search takes."""

import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from PIL.ExifTags import GPS, IFD, Base

from seesay.errors import InputError
from seesay.library import Filters, Library
from seesay.library.search import ranking as module
from seesay.library.storage.reads import Reads
from seesay.library.storage.rows import Selection
from seesay.model import Model
from tests.conftest import Paint


def exif(taken: str | None = None, camera: str | None = None, place: tuple[float, float] | None = None) -> Image.Exif:
    made = Image.Exif()
    if taken:
        made.get_ifd(IFD.Exif)[Base.DateTimeOriginal] = taken
    if camera:
        made[Base.Model] = camera
    if place:
        latitude, longitude = place
        made.get_ifd(IFD.GPSInfo).update(
            {
                GPS.GPSLatitudeRef: "N" if latitude >= 0 else "S",
                GPS.GPSLatitude: (abs(latitude), 0.0, 0.0),
                GPS.GPSLongitudeRef: "E" if longitude >= 0 else "W",
                GPS.GPSLongitude: (abs(longitude), 0.0, 0.0),
            }
        )
    return made


@pytest.fixture
def library(tmp_path: Path, fake: Model, paint: Paint) -> Library:
    paint("a/zurich.jpg", "red", (64, 48), exif=exif("2023:12:31 23:59:59", "Canon EOS R6", (47.0, 8.0)))
    paint("a/fiji.jpg", "green", (48, 64), exif=exif("2024:05:17 18:30:05", "NIKON Z 6", (-18.0, 178.0)))
    paint("b/samoa.jpg", "blue", (300, 300), exif=exif("2024:06:01 00:00:00", "canon powershot", (-13.0, -172.0)))
    paint("b/plain.png", "yellow", (400, 200))
    made = Library(tmp_path / "library", fake)
    made.index(tmp_path / "pictures")
    return made


def names(library: Library, **filters: object) -> set[str]:
    return {Path(hit.path).stem for hit in library.search("red", filters=Filters(**filters))}  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, {"zurich", "fiji", "samoa", "plain"}),
        ({"after": "2024"}, {"fiji", "samoa"}),
        ({"before": "2024"}, {"zurich", "fiji", "samoa"}),
        ({"before": "2023"}, {"zurich"}),
        ({"after": "2024-05", "before": "2024-05"}, {"fiji"}),
        ({"after": "2024-05-17T18:30", "before": "2024-05-17"}, {"fiji"}),
        ({"after": "2024-05-17T18:31"}, {"samoa"}),
        ({"after": "2023-12-31T23:59:59", "before": "2023-12-31T23:59:59"}, {"zurich"}),
        ({"camera": "CANON"}, {"zurich", "samoa"}),
        ({"camera": "z 6"}, {"fiji"}),
        ({"place": (46, 7, 48, 9)}, {"zurich"}),
        ({"place": (-20, 170, 0, -170)}, {"fiji", "samoa"}),
        ({"place": (-20, -180, 0, 180)}, {"fiji", "samoa"}),
        ({"orientation": "landscape"}, {"zurich", "plain"}),
        ({"orientation": "portrait"}, {"fiji"}),
        ({"orientation": "square"}, {"samoa"}),
        ({"min_px": 200}, {"samoa", "plain"}),
        ({"min_px": 201}, {"samoa"}),
        ({"camera": "canon", "after": "2024"}, {"samoa"}),
        ({"camera": "canon", "after": "2025"}, set()),
        ({"camera": "100%_"}, set()),
    ],
)
def test_each_filter(library: Library, filters: dict[str, object], expected: set[str]) -> None:
    assert names(library, **filters) == expected


def test_filters_by_folder_and_score(library: Library, tmp_path: Path) -> None:
    assert names(library, under=tmp_path / "pictures" / "b") == {"samoa", "plain"}
    assert names(library, under=tmp_path / "pictures" / "b", orientation="square") == {"samoa"}
    scores = sorted((hit.score for hit in library.search("red")), reverse=True)
    assert len(library.search("red", filters=Filters(min_score=scores[1]))) == 2
    assert not library.search("red", filters=Filters(min_score=1))


def test_texts_have_no_camera(library: Library, tmp_path: Path) -> None:
    (tmp_path / "captions.txt").write_text("red\nblue\n", encoding="utf-8")
    library.index(tmp_path / "captions.txt")
    assert len(library.search("red", kind="text")) == 2
    assert not library.search("red", kind="text", filters=Filters(camera="canon"))
    assert len(library.search("red", kind="text", filters=Filters(under=tmp_path))) == 2


def test_a_search_that_asks_the_database_first_finds_the_same(
    library: Library, paint: Paint, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, colour in itertools.product(range(180), ("red", "green", "blue")):
        size = (48, 40) if number % 60 else (40, 48)
        paint(f"many/{colour}-{number}.png", colour, size)
    library.index()
    filters = Filters(orientation="portrait")
    found = library.search("blue", n=10, filters=filters)
    assert len(found) == 10
    looked_up: list[int | None] = []
    real, everything = Reads.select, library.stats()["spaces"][0]["vectors"]["image"]

    def select(*arguments: Any, among: np.ndarray | None = None) -> Selection:
        looked_up.append(None if among is None else len(among))
        return real(*arguments, among)

    monkeypatch.setattr(Reads, "select", select)
    monkeypatch.setattr(module, "FEW", 0)  # as if so few did not pass
    cases = ((4, 2, 10, [4, None]), (100, 50, 10, [100, everything]), (100, 3, 3, [100, 300]), (256, 16, 1, [256]))
    for first, further, n, asked in cases:
        monkeypatch.setattr(module, "FIRST", first)
        monkeypatch.setattr(module, "FURTHER", further)
        looked_up.clear()
        again = library.search("blue", n=n, filters=filters)
        assert looked_up == asked
        assert [hit.id for hit in again] == [hit.id for hit in found][:n]
    in_folder = [hit.id for hit in library.search("blue", n=1000, filters=filters) if "/many/" in hit.path][:5]
    monkeypatch.setattr(module, "FIRST", 4)
    looked_up.clear()
    folder = Path(found[0].path).parents[1] / "many"
    assert [hit.id for hit in library.search("blue", n=5, filters=replace(filters, under=folder))] == in_folder
    assert looked_up == [4, None]
    monkeypatch.setattr(module, "FEW", 2000)
    looked_up.clear()
    assert [hit.id for hit in library.search("blue", n=10, filters=filters)] == [hit.id for hit in found]
    for few in (2000, 100):  # all of the folder at most; only what passes at most
        monkeypatch.setattr(module, "FEW", few)
        assert [hit.id for hit in library.search("blue", n=5, filters=replace(filters, under=folder))] == in_folder
    assert looked_up == []
    upright = [hit for hit in library.search("blue", n=1000) if hit.height == 48 and hit.width == 40]
    upright += [hit for hit in library.search("blue", n=1000) if hit.height == 64]
    wanted = sorted((hit.score for hit in upright), reverse=True)[:10]
    np.testing.assert_allclose([hit.score for hit in found], wanted, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("filters", "message"),
    [
        ({"after": "yesterday"}, "after: expected a date such as 2024"),
        ({"before": "2024-13"}, "before: expected a date"),
        ({"after": "2025", "before": "2024-12"}, "leave no time between them"),
        ({"camera": " "}, "camera: expected a part of its name"),
        ({"place": (10, 0, 5, 0)}, "place: expected south, west, north, east"),
        ({"place": (0, 0, 0, 400)}, "place: expected south, west, north, east"),
        ({"orientation": "round"}, "orientation: expected one of landscape, portrait, square"),
        ({"min_px": 0}, "min_px: expected at least 1"),
        ({"min_score": 2}, "min_score: expected a cosine"),
    ],
)
def test_wrong_filters_say_why(filters: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Filters(**filters)  # type: ignore[arg-type]


def test_hits_by_date_page_by_page(library: Library) -> None:
    everything = Filters(min_score=-1)
    newest = [Path(hit.path).stem for hit in library.search("red", filters=everything, sort="newest")]
    assert newest == ["samoa", "fiji", "zurich", "plain"]
    assert [Path(hit.path).stem for hit in library.search("red", filters=everything, sort="oldest")] == [
        "zurich",
        "fiji",
        "samoa",
        "plain",
    ]
    for sort in ("newest", "oldest"):
        whole = library.search("red", filters=everything, sort=sort)
        for at, hit in enumerate(whole):
            assert library.search("red", filters=everything, sort=sort, cursor=hit.cursor).hits == whole[at + 1 :]
    some = library.search("red", filters=Filters(min_score=-1, after="2024"), sort="newest", n=1)
    assert [hit.name for hit in some] == ["samoa.jpg"]
    second = library.search("red", filters=everything, sort="newest")[1]
    library.forget(second.path)
    behind = library.search("red", filters=everything, sort="newest", cursor=second.cursor)
    assert [Path(hit.path).stem for hit in behind] == ["zurich", "plain"]


def test_pages_by_date_are_full_where_a_killed_run_left_pictures_without_files(library: Library) -> None:
    with library.writing() as store:  # as between a commit and the end of a run
        store.db.execute("UPDATE files SET content_id = NULL WHERE path LIKE '%samoa%'")
    hits = library.search("red", filters=Filters(min_score=-1), sort="newest", n=2)
    assert [Path(hit.path).stem for hit in hits] == ["fiji", "zurich"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sort": "best"}, "sort is one of 'score', 'newest', 'oldest'"),
        ({"sort": "newest", "kind": "text", "filters": Filters(min_score=0)}, "texts have no date"),
        ({"sort": "newest", "filters": Filters(min_score=-1), "cursor": "0.3,1"}, "cursor of a hit of the same search"),
        ({"cursor": "2024-05-17T18:30:05/1"}, "cursor of a hit of the same search"),
    ],
)
def test_an_order_that_cannot_be(library: Library, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        library.search("red", **options)
