"""Places of a library's pictures, and what they are called."""

import time
from pathlib import Path

import numpy as np
import pytest

from seesay.library import Filters, Library
from seesay.library.places import Place, kilometres, places
from seesay.model import Model
from tests.conftest import Paint, located

ZURICH, WINTERTHUR, SYDNEY, SUVA = (47.3769, 8.5417), (47.4988, 8.7237), (-33.8688, 151.2093), (-18.1248, 178.4501)


def test_kilometres_along_the_ground() -> None:
    found = kilometres(ZURICH, [ZURICH, WINTERTHUR, SYDNEY])
    np.testing.assert_allclose(found, [0, 19.3, 16_570], rtol=0.01, atol=1e-6)
    assert kilometres((0, 179.9), [(0, -179.9)])[0] == pytest.approx(22.2, rel=0.01)


def indexed(paint: Paint, fake: Model, tmp_path: Path, spots: list[tuple[float, float]]) -> Library:
    for number, spot in enumerate(spots):
        paint(f"{number}.jpg", size=(48 + number, 40), exif=located(*spot))
    paint("nowhere.png")
    library = Library(tmp_path / "library", fake)
    library.index(tmp_path / "pictures")
    return library


def test_pictures_near_each_other_are_one_place(paint: Paint, fake: Model, tmp_path: Path) -> None:
    around = [(ZURICH[0] + dy, ZURICH[1] + dx) for dy, dx in ((0, 0), (0.05, 0.05), (-0.07, 0.02), (0.01, -0.09))]
    with indexed(paint, fake, tmp_path, [*around, SYDNEY, SYDNEY, SUVA, (-18.2, -179.95)]) as library:
        with library.session() as session:
            store = session.store
            found = places(store)
            assert len(places(store, most=1)) == 1
        assert [place.pictures for place in found] == [4, 2, 1, 1]
        zurich, sydney = found[:2]
        assert kilometres((zurich.latitude, zurich.longitude), [ZURICH])[0] < 6
        assert kilometres((sydney.latitude, sydney.longitude), [SYDNEY])[0] < 0.1
        for place in found:  # what a place says is what its filter finds
            assert len(library.browse(filters=Filters(place=place.box)).ids) == place.pictures


def test_a_library_without_places(paint: Paint, fake: Model, tmp_path: Path) -> None:
    with indexed(paint, fake, tmp_path, []) as library, library.session() as session:
        store = session.store
        assert places(store) == []


def test_a_long_road_is_several_places(paint: Paint, fake: Model, tmp_path: Path) -> None:
    road = [(46 + at / 20, 8.0) for at in range(40)]  # 220 km
    with indexed(paint, fake, tmp_path, road) as library, library.session() as session:
        store = session.store
        found = places(store)
    assert sum(place.pictures for place in found) == 40
    assert len(found) >= 5
    assert max(place.box[2] - place.box[0] for place in found) < 0.6


def test_places_have_the_names_of_towns() -> None:
    pytest.importorskip("reverse_geocode")
    from seesay.serving.photos.gazetteer import Gazetteer, towns

    spots = [ZURICH, (35.68, 139.70), (31.23, 121.47), (46.6, 8.6), (0.0, -30.0)]
    expected = ["Zürich, Switzerland", "Tokyo, Japan", "Shanghai, China", towns([(46.6, 8.6)])[0], None]
    asked = [Place(*spot, (*spot, *spot), 1) for spot in spots]
    gazetteer = Gazetteer()
    assert gazetteer.names(asked) == [None] * 5
    until = time.monotonic() + 60
    while (found := gazetteer.names(asked))[0] is None and time.monotonic() < until:
        time.sleep(0.1)
    assert found == expected
