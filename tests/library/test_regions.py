"""Small things are found by windows of their pictures, and everything else stays as it was."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import seesay
from seesay.errors import InputError
from seesay.images.preprocess import shown_whole
from seesay.images.read import read
from seesay.library import Filters, Library
from seesay.library.indexing import regions
from seesay.library.storage.regions import RegionRows
from seesay.model import Model
from tests.conftest import Paint


@pytest.fixture
def folder(paint: Paint, tmp_path: Path) -> Path:
    """Pictures of one colour, and one that is black but for a red corner."""
    for name in ("blue-1.png", "blue-2.png", "green.png", "yellow.png"):
        paint(name, name.split("-")[0].removesuffix(".png"), size=(160, 120))
    image = Image.new("RGB", (160, 120), "black")
    image.paste((255, 0, 0), (124, 84, 160, 120))
    image.save(tmp_path / "pictures" / "corner.png")
    return tmp_path / "pictures"


@pytest.fixture
def library(tmp_path: Path, fake: Model) -> Library:
    return Library(tmp_path / "library", fake)


def order(library: Library, query: str = "red", **options: object) -> list[str]:
    return [Path(hit.path).name for hit in library.search(query, n=50, **options)]  # type: ignore[arg-type]


def rows(library: Library) -> int:
    with library.session() as session:
        return RegionRows(session.store.db).count_vectors(session.space)["image"]


def test_a_small_thing_is_found_and_placed(library: Library, folder: Path) -> None:
    library.index(folder)
    before = library.search("red", n=50)
    assert [hit.box for hit in before] == [None] * 5
    at = order(library).index("corner.png")
    report = library.index(folder, regions=True)
    assert (report.regions, report.encoded, report.unchanged) == (5, 0, 5)
    after = library.search("red", n=50)
    assert order(library).index("corner.png") == 0 < at
    box = after[0].box
    assert box is not None
    x0, y0, x1, y1 = box
    assert 0 <= x0 < 124 < 150 < x1 <= 160
    assert 0 <= y0 < 84 < 110 < y1 <= 120
    assert after[0].to_json()["box"] == list(box)
    own = {hit.id: hit for hit in before}
    for hit in after:
        assert hit.score == own[hit.id].score
        if hit.box is None:
            assert (hit.relevance, hit.likely) == (own[hit.id].relevance, own[hit.id].likely)
    likely = [bool(hit.likely) for hit in after]
    assert likely == sorted(likely, reverse=True)  # likely ones come first, as pages show them
    assert any(likely) == any(hit.likely for hit in before)  # whether there is such a thing, whole pictures decide


def test_ranks_are_those_of_a_slow_search(library: Library, folder: Path, fake: Model) -> None:
    library.index(folder, regions=True)
    text, model = fake.encode_text("red")[0], fake.with_decode("fast")
    expected = {}
    for path in sorted(folder.iterdir()):
        whole = float(model.encode_image(path)[0] @ text)
        image = read(path).image
        parts = [shown_whole(image, tuple(box), fake.image_spec) for box in regions.windows(*image.size)]
        best = max(float(fake.encode_image(part)[0] @ text) for part in parts)
        expected[path.name] = max(whole, (whole + best) / 2)
    hits = library.search("red", n=50)
    assert [Path(hit.path).name for hit in hits] == sorted(expected, key=lambda name: -expected[name])
    ranks = [float(hit.cursor.split("/")[0]) for hit in hits]
    differences = np.diff(ranks) - np.diff([expected[Path(hit.path).name] for hit in hits])
    np.testing.assert_allclose(differences, 0, atol=1e-4)  # the fake model has no hubs: ranks are cosines


def test_other_searches_stay_as_they_are(library: Library, folder: Path) -> None:
    library.index(folder)
    red = library.search("red", n=1)[0]

    def searches() -> list[list[tuple[str, float | None, object]]]:
        results = [
            library.search(f"like:{red.id}", n=50),
            library.search(image=folder / "corner.png", n=50),
            library.search("red", n=50, score="cosine"),
            library.search(sort="newest", n=50),
            library.search_vector(library.model.encode_text("red")[0], n=50),
        ]
        return [[(hit.id, hit.score, hit.box) for hit in result] for result in results]

    before = searches()
    library.index(regions=True)
    assert searches() == before


def test_filters_and_cursors_hold(library: Library, folder: Path) -> None:
    library.index(folder, regions=True)
    every = order(library)
    pages, cursor = list[str](), None
    for _ in range(len(every)):
        page = library.search("red", n=1, cursor=cursor)
        pages += [Path(hit.path).name for hit in page]
        cursor = page.next
    assert pages == every
    assert order(library, filters=Filters(name="blue")) == [name for name in every if name.startswith("blue")]
    assert {hit.box is not None for hit in library.search("red - blue", n=50) if hit.path.endswith("corner.png")} == {True}
    with pytest.raises(InputError):
        library.search("red", cursor="nonsense")


def test_windows_go_with_their_picture(library: Library, folder: Path) -> None:
    library.index(folder, regions=True)
    count = rows(library)
    assert count == 5 * 6
    (folder / "corner.png").unlink()
    library.index(folder)
    assert rows(library) == 4 * 6
    assert "corner.png" not in order(library)
    library.forget(folder)
    assert rows(library) == 0
    library.index(folder)
    assert [hit.box for hit in library.search("red", n=9)] == [None] * 4


def test_new_pictures_have_windows_where_they_are_asked_for(library: Library, folder: Path, paint: Paint) -> None:
    library.index(folder, regions=True)
    paint("sub/blue-3.png", "blue", size=(160, 120))
    paint("sub/tiny.png", "green", size=(48, 40))
    assert library.index(folder).regions == 0
    assert rows(library) == 5 * 6
    assert library.index(folder / "sub", regions=True).regions == 2
    assert rows(library) == 6 * 6  # a tiny picture has no part worth looking at, and is not looked at again
    assert library.index(folder, regions=True).regions == 0


def test_a_stopped_run_goes_on(library: Library, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library.index(folder)
    whole, count = regions._parts, 0

    def stopping(*arguments: object) -> object:
        nonlocal count
        count += 1
        if count == 4:
            raise KeyboardInterrupt
        return whole(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(regions, "_parts", stopping)
    with pytest.raises(KeyboardInterrupt):
        library.index(regions=True)
    kept = rows(library) // 6
    assert 0 < kept < 5
    monkeypatch.setattr(regions, "_parts", whole)
    assert library.index(regions=True).regions == 5 - kept
    assert rows(library) == 5 * 6
    assert order(library)[0] == "corner.png"


def test_a_lost_or_damaged_index_of_windows_is_rebuilt(library: Library, folder: Path) -> None:
    library.index(folder, regions=True)
    every = [(hit.id, hit.box) for hit in library.search("red", n=9)]
    (pointer,) = (library.path / "vectors").glob("*/regions/current.json")
    pointer.write_text("{}")
    again = Library(library.path, library.model)
    assert [(hit.id, hit.box) for hit in again.search("red", n=9)] == every
    library.index(regions=True)
    assert '"rows"' in pointer.read_text()
    assert [(hit.id, hit.box) for hit in Library(library.path, library.model).search("red", n=9)] == every


def test_a_picture_that_cannot_be_read_now_is_tried_again(library: Library, folder: Path) -> None:
    library.index(folder)
    with library.session() as session:
        everything = session.store.pictures_under(None)
    blue = folder / "blue-1.png"
    data, stat = blue.read_bytes(), blue.stat()
    blue.write_bytes(b"x" * len(data))
    os.utime(blue, ns=(stat.st_atime_ns, stat.st_mtime_ns))  # the run before it sees no change
    assert library.index(folder, regions=True).regions == len(everything) - 1
    blue.write_bytes(data)
    os.utime(blue, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert library.index(folder, regions=True).regions == 1


def test_windows_of_odd_pictures() -> None:
    assert len(regions.windows(640, 480)) == 6
    assert len(regions.windows(63, 4000)) == 0
    for width, height in ((64, 64), (4000, 70), (100, 3000)):
        boxes = regions.windows(width, height)
        assert 1 <= len(boxes) <= regions.MOST_WINDOWS
        assert boxes.min() >= 0
        assert (boxes[:, 2:] <= [width, height]).all()
        assert boxes[0, :2].tolist() == [0, 0]
        assert boxes[-1, 2:].tolist() == pytest.approx([width, height])


def test_a_hit_of_python_says_where(library: Library, folder: Path) -> None:
    library.index(folder, regions=True)
    hit: seesay.Hit = library.search("red", n=1)[0]
    assert hit.box is not None
    assert hit.size == "160 x 120"


def test_a_library_of_before_windows_is_brought_up_to_date(library: Library, folder: Path) -> None:
    library.index(folder)
    before = [(hit.id, hit.score) for hit in library.search("red", n=9)]
    library.close()
    with closing(sqlite3.connect(library.path / "library.db")) as db:
        db.executescript("DROP TABLE regions; PRAGMA user_version = 6")
    again = Library(library.path, library.model)
    assert [(hit.id, hit.score) for hit in again.search("red", n=9)] == before
    assert again.index(regions=True).regions == 5
