"""Duplicates: the hash beside imagehash, the pairs beside a slow search, groups and keepers, and what goes wrong."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from seesay.errors import InputError
from seesay.images.phash import LARGE, bits, turned, waves
from seesay.library import Filters, Library, duplicates
from seesay.library.duplicates import alike, one_picture
from seesay.library.storage.rows import PictureFile
from seesay.model import Model
from seesay.models.vectors import normalize
from tests.conftest import Paint

TURNS = [
    None,
    Image.Transpose.FLIP_LEFT_RIGHT,
    Image.Transpose.FLIP_TOP_BOTTOM,
    Image.Transpose.ROTATE_180,
    Image.Transpose.TRANSPOSE,
    Image.Transpose.ROTATE_90,
    Image.Transpose.ROTATE_270,
    Image.Transpose.TRANSVERSE,
]


def test_the_hash_is_that_of_imagehash(photos: list[Path]) -> None:
    imagehash = pytest.importorskip("imagehash")
    for path in photos:
        with Image.open(path) as image:
            assert min(image.size) < 2 * LARGE
            assert np.array_equal(bits(waves(image)), imagehash.phash(image).hash.ravel()), path


def test_a_large_picture_differs_by_two_bits_at_most(photos: list[Path]) -> None:
    imagehash = pytest.importorskip("imagehash")
    with Image.open(photos[0]) as image:
        large = image.convert("RGB").resize((3 * LARGE, 2 * LARGE), Image.Resampling.BICUBIC)
    assert (bits(waves(large)) != imagehash.phash(large).hash.ravel()).sum() <= 2


def test_turned_pictures_have_the_bits_that_follow(photos: list[Path]) -> None:
    for path in photos[::20]:
        with Image.open(path) as image:
            image = image.convert("RGB").resize((256, 256))
            seen = [bits(waves(image if turn is None else image.transpose(turn))) for turn in TURNS]
        made = bits(turned(waves(image)))
        # Turned by float arithmetic in another order: a bit at the median may fall to the other side.
        assert all(min((each != other).sum() for other in made) <= 2 for each in seen)
        assert (made[0] != seen[0]).sum() == 0


def test_pairs_are_those_of_a_slow_search(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    base = 1000 * rng.standard_normal((12, 8, 8)).astype(np.float32)
    hashes = np.concatenate([base, base + 50 * rng.standard_normal(base.shape).astype(np.float32)])
    hashes[5] = turned(hashes[4])[5]
    vectors = normalize(rng.standard_normal((24, 6)).astype(np.float32))
    vectors[7] = vectors[3]
    monkeypatch.setattr(duplicates, "ROWS", 5)
    monkeypatch.setattr(duplicates, "COLUMNS", 7)
    expected = set()
    for i in range(24):
        for j in range(i + 1, 24):
            distance = min(int((bits(position) != bits(hashes[j])).sum()) for position in turned(hashes[i]))
            if one_picture(np.array(vectors[i] @ vectors[j]), np.array(distance)):
                expected.add((i, j))
    found = list(alike(vectors, hashes))
    assert sorted(found) == sorted(expected)
    assert (4, 5) in found
    assert len(found) >= 10


@pytest.fixture
def library(tmp_path: Path, bundled: Model, photos: list[Path]) -> Library:
    folder = tmp_path / "pictures"
    (folder / "phone").mkdir(parents=True)
    for path in photos[:40:4]:
        shutil.copy(path, folder)
    shutil.copy(photos[0], folder / "phone" / "copy.jpg")
    with Image.open(photos[4]) as image:
        image = image.convert("RGB")
        image.resize((image.width // 2, image.height // 2)).save(folder / "phone" / "small.jpg", quality=60)
        image.transpose(Image.Transpose.ROTATE_90).save(folder / "phone" / "turned.png")
        ImageDraw.Draw(image).text((30, 30), "SAMPLE", fill="white", font_size=30)
        image.save(folder / "phone" / "marked.png")
    made = Library(tmp_path / "library", bundled)
    made.index(folder)
    return made


def test_groups_and_keepers(library: Library, photos: list[Path], tmp_path: Path) -> None:
    first, second = library.duplicates()
    assert {Path(copy.path).name for copy in (first.keeper, *first.others)} == {
        photos[4].name, "small.jpg", "turned.png", "marked.png"
    }  # fmt: skip
    assert Path(first.keeper.path).name == photos[4].name, "a PNG of it has the same pixels, more bytes, and shows no more"
    assert Path(first.others[-1].path).name == "marked.png", "the least alike comes last"
    assert all(not copy.identical and copy.distance <= 12 for copy in first.others)
    assert [Path(copy.path).name for copy in (second.keeper, *second.others)] == [photos[0].name, "copy.jpg"]
    assert second.others[0].identical
    (exact,) = library.duplicates(exact=True)
    assert exact == second
    (inside,) = library.duplicates(filters=Filters(under=tmp_path / "pictures" / "phone"))
    assert len(inside.others) == 2


def test_hashes_of_an_older_library_are_made_and_kept(library: Library) -> None:
    expected = library.duplicates()
    with library.writing() as store:
        store.db.execute("UPDATE contents SET waves = NULL")
    told: list[tuple[int, int]] = []
    # From the files decoded at another size: a bit or two may differ.
    found = library.duplicates(progress=lambda done, total: told.append((done, total)))
    assert [group.keeper.path for group in found] == [group.keeper.path for group in expected]
    assert told[0] == (1, 13)
    with library.session() as session:
        store = session.store
        assert len(store.waves()) == 13


def test_a_picture_that_is_gone_is_left_out(library: Library, tmp_path: Path) -> None:
    with library.writing() as store:
        store.db.execute("UPDATE contents SET waves = NULL")
    for path in (tmp_path / "pictures" / "phone").iterdir():
        if path.name != "copy.jpg":
            path.unlink()
    (group,) = library.duplicates()
    assert group.others[0].identical


def test_plain_surfaces_are_not_one_picture(fake: Model, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for name, shade in (("dark", 20), ("grey", 120), ("light", 220)):
        pixels = rng.normal(shade, 4, (200, 300, 3)).clip(0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{name}.png")
    library = Library(tmp_path / "library", fake)
    library.index(folder)
    assert library.duplicates() == []


def test_an_empty_choice_has_no_duplicates(fake: Model, paint: Paint, tmp_path: Path) -> None:
    library = Library(tmp_path / "library", fake)
    library.index(paint("red.png"))
    assert library.duplicates() == []
    assert library.duplicates(filters=Filters(after="2020")) == []
    with pytest.raises(InputError, match="elsewhere: the library holds no picture there"):
        library.duplicates(filters=Filters(under=tmp_path / "elsewhere"))


@pytest.fixture
def twice(fake: Model, paint: Paint, tmp_path: Path) -> Library:
    """red.png, and its copy in another folder."""
    made = Library(tmp_path / "library", fake)
    first = paint("a/red.png", "red")
    (tmp_path / "b").mkdir()
    shutil.copy(first, tmp_path / "b")
    made.index(first.parent, tmp_path / "b")
    return made


def test_only_files_that_are_there_as_they_were_indexed_count(twice: Library, paint: Paint, tmp_path: Path) -> None:
    (group,) = twice.duplicates(exact=True)
    kept = Path(group.keeper.path)
    aside = kept.parent.rename(tmp_path / "aside")  # as a disk that is not mounted
    assert twice.duplicates(exact=True) == twice.duplicates() == []
    aside.rename(kept.parent)
    assert twice.duplicates(exact=True) == [group]
    paint("a/red.png", "blue", size=(60, 50))
    assert twice.duplicates(exact=True) == twice.duplicates() == []
    kept.unlink()
    assert twice.duplicates(exact=True) == twice.duplicates() == []


def test_a_gone_keeper_hands_over_to_the_next(library: Library, tmp_path: Path, photos: list[Path]) -> None:
    (tmp_path / "pictures" / photos[4].name).unlink()
    first, _ = library.duplicates()
    assert Path(first.keeper.path).name == "marked.png"
    assert {Path(copy.path).name for copy in first.others} == {"turned.png", "small.jpg"}


@pytest.mark.skipif(not hasattr(os, "link"), reason="no hard links here")
def test_hard_and_symbolic_links_free_nothing_and_the_keeper_is_what_a_search_shows(
    fake: Model, paint: Paint, tmp_path: Path
) -> None:
    folder = paint("z/kept for long.png", "red").parent
    real = folder / "kept for long.png"
    for at, other in enumerate(("z/0.png", "y/1.png", "y/2.png")):
        copy = tmp_path / "pictures" / other
        copy.parent.mkdir(exist_ok=True)
        shutil.copy(real, copy)
        os.utime(copy, ns=(0, 2_000_000_000_000_000_000 + at))
    os.link(real, folder / "a hard link.png")
    (folder / "a.png").symlink_to(real)
    (tmp_path / "link to z").symlink_to(folder)
    with Library(tmp_path / "library", fake) as library:
        library.index(tmp_path / "pictures", tmp_path / "link to z")
        (group,) = library.duplicates()
        (exact,) = library.duplicates(exact=True)
        assert exact == group
        assert group.keeper.path == str(folder / "a hard link.png"), "of the oldest file, and no link to it"
        assert {Path(other.path).name for other in group.others} == {"0.png", "1.png", "2.png"}
        (hit,) = library.search("red")
        assert hit.path == group.keeper.path
        assert {*hit.copies} == {other.path for other in group.others}
        item = library.item(hit.id)
        assert item is not None
        assert item.files[0].path == hit.path
        assert len(item.files) == 10, "every name is told"
        under = Filters(under=tmp_path / "pictures/y")
        (hit,) = library.search("red", filters=under)
        (group,) = library.duplicates(filters=under)
        assert hit.path == group.keeper.path == str(tmp_path / "pictures/y/1.png")
        for path in (real, folder / "a hard link.png"):
            path.unlink()
        (hit,) = library.search("red")
        assert (Path(hit.path).name, hit.available) == ("0.png", True)
        assert str(real) in hit.copies, "where it comes back from is told"


def test_a_file_and_a_link_to_it_are_one(fake: Model, paint: Paint, tmp_path: Path) -> None:
    red = paint("red.png")
    (tmp_path / "pictures" / "again.png").symlink_to(red)
    library = Library(tmp_path / "library", fake)
    library.index(red.parent)
    assert library.duplicates(exact=True) == []


@pytest.mark.parametrize(
    ("files", "keeper"),
    [
        ({"a.jpg": (9, 100), "b.png": (5, 900)}, "b.png"),
        ({"a.jpg": (5, 100), "b.png": (9, 900)}, "a.jpg"),
        ({"a.jpg": (9, 100), "b.JPEG": (9, 200), "c.png": (9, 900), "long.png": (9, 900)}, "c.png"),
        ({"a.jpg": (3, 100), "b.JPEG": (4, 200), "c.png": (9, 900)}, "b.JPEG"),
        ({"long.jpg": (5, 100), "b.jpg": (5, 100), "c.jpg": (7, 100)}, "b.jpg"),
    ],
)
def test_of_equal_pixels_most_bytes_of_a_format_then_the_older_then_the_shorter_name(
    files: dict[str, tuple[int, int]], keeper: str
) -> None:
    made = [PictureFile(name, size, 4, 3, None, "", mtime_ns) for name, (mtime_ns, size) in files.items()]
    assert duplicates._keeper(made).path == keeper
    assert duplicates._keeper(reversed(made)).path == keeper
