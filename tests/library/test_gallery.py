"""Galleries on disk: learning, forgetting, and files that cannot be used."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from seesay.errors import GalleryError, InputError, UnreadableImage
from seesay.library import Library
from seesay.library.example import Example, digest_of, read_example
from seesay.library.gallery import GalleryFile, gallery_path
from seesay.library.strangers import stranger_pictures, stranger_vectors
from seesay.model import Model
from seesay.models.vectors import normalize
from tests.conftest import Paint

DIM = 8


def example(seed: int) -> Example:
    return Example(f"{seed}.jpg", f"{seed:064x}", normalize(np.random.default_rng(seed).normal(size=DIM)))


@pytest.fixture
def file(tmp_path: Path) -> GalleryFile:
    return GalleryFile(tmp_path / "deep" / "pets.db", "ab" * 16, DIM, "tiny")


def test_what_was_learned_is_read_back_exactly(file: GalleryFile) -> None:
    file.learn("Rex", [example(1), example(2)])
    file.learn("Tom", [example(3)])
    read = file.read()
    assert read.names == ("Rex", "Tom")
    assert read.owners.tolist() == [0, 0, 1]
    np.testing.assert_array_equal(read.vectors, np.stack([example(seed).vector for seed in (1, 2, 3)]))


def test_learning_again_adds_and_the_same_picture_counts_once(file: GalleryFile) -> None:
    first = file.learn("Rex", [example(1), example(1), example(2)])
    assert (first.new, first.added, first.known, first.pictures) == (True, 2, 1, 2)
    again = file.learn("  rex ", [example(2), example(3)])  # the name in any case, as it was first written
    assert (again.name, again.new, again.added, again.known, again.pictures) == ("Rex", False, 1, 1, 3)
    assert file.counts() == {"Rex": 3}


def test_names_are_forgotten_all_or_none(file: GalleryFile) -> None:
    file.learn("Rex", [example(1)])
    file.learn("猫咪", [example(2)])
    with pytest.raises(InputError, match="has no name 'dog'; it has Rex, 猫咪"):
        file.forget("Rex", "dog")
    assert list(file.counts()) == ["Rex", "猫咪"]
    assert file.forget("REX") == {"Rex": 1}
    assert file.counts() == {"猫咪": 1}


@pytest.mark.parametrize("name", ["", "  ", "x" * 101, "a\x00b"])
def test_a_name_that_is_none_is_refused(file: GalleryFile, name: str) -> None:
    with pytest.raises(InputError, match="a name is a word or a few"):
        file.learn(name, [example(1)])
    assert not file.file.exists()


def test_a_name_needs_pictures(file: GalleryFile) -> None:
    with pytest.raises(InputError, match="expected at least one picture of 'Rex'"):
        file.learn("Rex", [])


def test_an_empty_gallery_says_how_to_fill_it(file: GalleryFile) -> None:
    assert file.counts() == {}
    with pytest.raises(GalleryError, match="has no names yet. Teach one with: seesay learn"):
        file.read()
    file.learn("Rex", [example(1)])
    file.forget("Rex")
    with pytest.raises(GalleryError, match="has no names yet"):
        file.read()


def test_a_gallery_of_another_space_is_refused_and_stays(file: GalleryFile) -> None:
    file.learn("Rex", [example(1)])
    before = file.file.read_bytes()
    for other in (GalleryFile(file.file, "cd" * 16, DIM, "other"), GalleryFile(file.file, "ab" * 16, 9, "other")):
        for use in (other.counts, other.read, lambda other=other: other.learn("Tom", [example(2)])):
            with pytest.raises(GalleryError, match="was taught with model 'tiny' .*model 'other' makes"):
                use()
    assert file.file.read_bytes() == before


def test_a_damaged_or_foreign_file_is_refused_and_stays(file: GalleryFile, tmp_path: Path) -> None:
    file.learn("Rex", [example(seed) for seed in range(200)])
    whole = file.file.read_bytes()
    file.file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(GalleryError, match="pets.db is damaged"):
        file.read()
    at = whole.find(example(1).vector.tobytes())
    file.file.write_bytes(whole[:at] + b"\xff\xff" + whole[at + 2 :])
    with pytest.raises(GalleryError, match="damaged: a picture of 'Rex' is not what was written"):
        file.read()
    for content, message in ((b"no database" * 100, "is damaged"), (b"", "is no gallery of SeeSay")):
        file.file.write_bytes(content)
        with pytest.raises(GalleryError, match=message):
            file.counts()
    file.file.unlink()
    with sqlite3.connect(file.file) as db:
        db.execute("CREATE TABLE something (x)")
    db.close()
    with pytest.raises(GalleryError, match="is no gallery of SeeSay"):
        file.learn("Rex", [example(1)])
    with pytest.raises(GalleryError, match="is a folder"):
        GalleryFile(tmp_path, "ab" * 16, DIM, "tiny").counts()


def test_a_gallery_of_a_newer_version_is_refused(file: GalleryFile) -> None:
    file.learn("Rex", [example(1)])
    with sqlite3.connect(file.file) as db:
        db.execute("PRAGMA user_version = 2")
    db.close()
    with pytest.raises(GalleryError, match="newer SeeSay"):
        file.read()


def test_a_failure_leaves_nothing_half_learned(file: GalleryFile, monkeypatch: pytest.MonkeyPatch) -> None:
    file.learn("Rex", [example(1)])
    broken = Example("2.jpg", "2", np.array(["not numbers"]))
    with pytest.raises(GalleryError):
        file.learn("Tom", [example(3), broken])
    assert file.counts() == {"Rex": 1}


def test_several_teach_at_once(file: GalleryFile) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda seed: file.learn(f"name {seed % 3}", [example(seed)]), range(30)))
    assert file.counts() == {"name 0": 10, "name 1": 10, "name 2": 10}


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(GalleryError, match="cannot open the gallery"):
        GalleryFile(tmp_path / "taken" / "gallery.db", "ab" * 16, DIM, "tiny").learn("Rex", [example(1)])


def test_the_default_gallery_lies_beside_the_library_that_has_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEESAY_LIBRARY", str(tmp_path / "own"))
    assert gallery_path() == gallery_path(tmp_path / "other") == tmp_path / "own" / "gallery.db"
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "gallery.db").touch()
    assert gallery_path(tmp_path / "other") == tmp_path / "other" / "gallery.db"


def test_a_library_is_made_where_a_gallery_was_first(fake: Model, paint: Paint, tmp_path: Path) -> None:
    folder = tmp_path / "library"
    GalleryFile(folder / "gallery.db", "ab" * 16, DIM, "tiny").learn("Rex", [example(1)])
    with Library(folder, fake) as library:
        assert library.index(paint("a.png").parent).encoded == 1


def test_an_example_is_the_picture_or_a_box_of_it(fake: Model, paint: Paint) -> None:
    path = paint("a.png", "red", size=(60, 40))
    whole, part = read_example(fake, str(path)), read_example(fake, str(path), (30, 10, 60, 40))
    np.testing.assert_allclose(whole.vector, fake.encode_image(path)[0], atol=1e-6)
    assert whole.digest == digest_of(path.read_bytes()) != part.digest
    for box in ((30, 10, 61, 40), (-1, 0, 5, 5), (5, 5, 5, 9)):
        with pytest.raises(InputError, match="box: expected x0,y0,x1,y1 with corners inside the picture of 60 x 40"):
            read_example(fake, str(path), box)
    with pytest.raises(UnreadableImage, match="no such file"):
        read_example(fake, "missing.png")


def test_strangers_are_encoded_once(fake: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = stranger_pictures()
    assert len(pictures) == 144
    assert {picture.size for picture in pictures} == {(96, 96)}
    first = stranger_vectors(fake)
    monkeypatch.setattr("seesay.library.strangers.stranger_pictures", lambda: pytest.fail("encoded again"))
    np.testing.assert_array_equal(stranger_vectors(fake), first)
    np.testing.assert_allclose(np.linalg.norm(first, axis=1), 1, atol=1e-5)


def test_names_are_tags_of_a_library_by_rule(fake: Model, paint: Paint, tmp_path: Path) -> None:
    from seesay.library.search.filters import Filters
    from seesay.tasks.few_shot import Calibration, from_examples

    paths = [paint(f"{colour}-{number}.png", colour) for colour in ("red", "green", "blue") for number in range(3)]
    taught = from_examples(["Rex", "Tom"], fake.encode_image([paths[0], paths[3]]))
    scores = taught.scores(fake.encode_image(paths)).max(axis=1)
    calibrated = Calibration(np.sort(scores[6:]))  # the blue ones are strangers
    with Library(tmp_path / "library", fake) as library:
        library.index(tmp_path / "pictures")
        library.tags.add("Rex", paths[8])  # by hand, which a rule leaves alone
        told = library.tags.by_gallery(taught, calibrated, dry_run=True)
        assert library.tags.counts() == {"Rex": 1}
        assert {name: len(pictures) for name, pictures in told.items()} == {"Rex": 3, "Tom": 3}
        seen: list[tuple[int, int]] = []
        assert library.tags.by_gallery(taught, calibrated, progress=lambda done, total: seen.append((done, total))) == told
        assert seen == [(9, 9)]
        assert library.tags.counts() == {"Rex": 4, "Tom": 3}
        found = library.search("name:tom")
        assert {Path(hit.path).name for hit in found.hits} == {f"green-{number}.png" for number in range(3)}
        assert len(library.search("- name:Rex").hits) == 5
        assert len(library.browse(filters=Filters(name=("rex", "red"))).ids) == 3
        only_tom = from_examples(["Tom"], fake.encode_image([paths[3]]))
        library.tags.by_gallery(only_tom, calibrated, false_accepts=0.9)
        assert library.tags.counts()["Rex"] == 4  # names that are not asked for stay
