"""What an older reader read is read again once, and what is not read is told."""

import os
import sqlite3
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seesay.images.decoding import formats
from seesay.images.decoding.decode import CUT_SHORT
from seesay.images.decoding.formats import ADVICE, KINDS, LINKED, LIVE_PHOTO, RAW_BESIDE, RAW_PHOTO, READ, VIDEO
from seesay.library import Filters, Library
from seesay.library.storage.schema import DATABASE
from seesay.model import Model
from tests.images.files import TURNED, encode, profile, scene


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "pictures"
    made.mkdir()
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9004] = "2007:02:19 10:20:30"
    (made / "scan.tif").write_bytes(encode(scene().transpose(TURNED[6]), "TIFF", tiffinfo={0x0112: 6}))
    (made / "photo.jpg").write_bytes(encode(scene(), "JPEG", exif=exif))
    (made / "cut.jpg").write_bytes(encode(scene(), "JPEG")[:-2])
    return made


@pytest.fixture
def library(tmp_path: Path, fake: Model) -> Library:
    return Library(tmp_path / "library", fake)


def as_by_an_older_reader(library: Library) -> None:
    """The library as it was before: no date, a TIFF that lies on its side, a picture refused."""
    library.close()
    with sqlite3.connect(library.path / DATABASE) as db:
        contents = dict(db.execute("SELECT f.path, f.content_id FROM files f"))
        db.execute("UPDATE contents SET reader = 0, taken_at = NULL")
        db.execute(
            "UPDATE contents SET width = 104, height = 160, waves = ? WHERE id = ?",
            (np.zeros(64, "<f4").tobytes(), contents["scan.tif"]),
        )
        cut = contents["cut.jpg"]
        (file,) = db.execute("SELECT id FROM files WHERE content_id = ?", (cut,)).fetchone()
        db.execute("DELETE FROM contents WHERE id = ?", (cut,))
        db.execute("INSERT INTO failures (file_id, reason, transient, tries) VALUES (?, 'is cut short', 0, 1)", (file,))
    db.close()


def vectors(library: Library) -> dict[str, tuple[int, bytes]]:
    with library.session() as session:
        store = session.store
        rows = store.db.execute(
            """SELECT f.path, v.id, v.vector FROM files f JOIN items i ON i.content_id = f.content_id
               JOIN vectors v ON v.item_id = i.id"""
        ).fetchall()
    return {path: (vector, data) for path, vector, data in rows}


def test_what_an_older_reader_read_is_read_again_once(library: Library, folder: Path) -> None:
    library.index(folder)
    first = vectors(library)
    library.tags.add("kept", folder / "scan.tif")
    as_by_an_older_reader(library)
    report = library.index()
    assert (report.encoded, report.reread, report.reused, report.failed) == (2, 1, 0, [])
    again = vectors(library)
    assert again["photo.jpg"] == first["photo.jpg"]  # the same pixels keep their vector
    assert again["scan.tif"][0] > first["scan.tif"][0]
    for path, (_, data) in first.items():  # older versions of ONNX Runtime give other last bits beside other pictures
        np.testing.assert_allclose(*(np.frombuffer(each, "<f4") for each in (again[path][1], data)), atol=1e-5)
    (hit,) = library.search(filters=Filters(tag="kept"))
    assert (hit.width, hit.height) == (160, 104)
    (dated,) = library.search(filters=Filters(after="2007", before="2007"))
    assert (Path(dated.path).name, dated.taken_at) == ("photo.jpg", "2007-02-19T10:20:30")
    third = library.index()
    assert (third.unchanged, third.encoded, third.reread) == (3, 0, 0)


def test_other_models_vectors_of_changed_pictures_are_made_anew(library: Library, folder: Path, tmp_path: Path) -> None:
    import seesay

    library.index(folder)
    other = Library(library.path, seesay.fake_model(space_id="0123" * 8))
    other.index(folder)
    other.close()
    as_by_an_older_reader(library)
    library.index()
    again = Library(library.path, seesay.fake_model(space_id="0123" * 8))
    assert again.index().encoded == 2  # the TIFF and what was refused
    assert again.index().unchanged == 3


def test_a_picture_whose_profile_counts_now_has_its_vector_made_anew(library: Library, folder: Path) -> None:
    (folder / "photo.jpg").write_bytes(encode(scene(), "JPEG", icc_profile=profile("ProPhoto")))
    library.index(folder)
    first = vectors(library)["photo.jpg"]
    as_by_an_older_reader(library)  # its hash is of grey levels, which are the same
    assert library.index().reread == 0
    again = vectors(library)["photo.jpg"]
    assert again[0] > first[0]
    assert again[1] == first[1]


def test_a_copy_of_what_was_read_again_is_read_again_too(library: Library, folder: Path) -> None:
    (folder / "copy.tif").write_bytes((folder / "scan.tif").read_bytes())
    library.index(folder)
    as_by_an_older_reader(library)
    library.index()
    assert library.index().unchanged == 4
    assert all((hit.width, hit.height) == (160, 104) for hit in library.search("x", n=9))


def test_a_picture_that_is_cut_short_is_indexed_and_noted(library: Library, folder: Path) -> None:
    report = library.index(folder)
    assert [(Path(noted.path).name, noted.reason) for noted in report.noted] == [("cut.jpg", CUT_SHORT)]
    assert library.index().noted == []


def test_whatever_one_picture_brings_about_is_its_own(library: Library, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from seesay.library.indexing import facts

    measured = facts.waves

    def fail(image: Image.Image) -> np.ndarray:
        if image.width == 20:
            raise MemoryError
        if image.width == 21:
            raise OverflowError("too large")
        return measured(image)

    for width in (20, 21):
        scene(width, 20).save(folder / f"bad-{width}.png")
    monkeypatch.setattr(facts, "waves", fail)
    report = library.index(folder)
    assert report.encoded == 3
    assert sorted(failure.reason for failure in report.failed) == [
        "cannot be read (OverflowError: too large)",
        "does not fit into memory",
    ]


def test_what_is_not_read_is_told_by_kind(library: Library, folder: Path) -> None:
    below = folder / "below"
    below.mkdir()
    for name in (
        "photo.MOV",  # beside photo.jpg: what a phone filmed with it
        "photo.DNG",
        "film.mp4",
        "below/photo.mov",  # its namesake lies elsewhere
        "below/raw.CR3",
        "below/a.jxl",
        "below/b.psd",
        "below/notes.docx",
        ".hidden.mp4",
    ):
        (folder / name).write_bytes(b"x")
    os.symlink(below, folder / "linked")
    told = {LIVE_PHOTO: 1, RAW_BESIDE: 1, VIDEO: 2, RAW_PHOTO: 1, formats.JPEG_XL: 1, formats.OTHER: 1, LINKED: 1}
    assert library.index(folder).skipped == told
    with library.session() as session:
        store = session.store
        assert store.skipped() == told
    (below / "raw.CR3").unlink()
    library.index(below)  # a part: the rest is known from before
    with library.session() as session:
        store = session.store
        assert store.skipped() == {kind: count for kind, count in told.items() if kind != RAW_PHOTO}
    library.forget(below)
    with library.session() as session:
        store = session.store
        assert store.skipped() == {LIVE_PHOTO: 1, RAW_BESIDE: 1, VIDEO: 1, LINKED: 1}
    library.forget(folder)
    with library.session() as session:
        store = session.store
        assert store.skipped() == {}


def test_every_kind_that_is_passed_over_has_advice() -> None:
    assert set(KINDS) - {READ} <= set(ADVICE)


@pytest.mark.parametrize("name", ["z", "a"])
def test_of_one_moment_pictures_are_by_fraction_then_by_name(library: Library, folder: Path, name: str) -> None:
    for number, (stem, fraction) in enumerate(
        [("burst-9", "90"), ("burst-1", "10"), (f"{name}-2", "20"), ("burst-2", "20"), ("burst-7", "70")]
    ):
        exif = Image.Exif()
        exif[0x010F] = "Canon"
        exif.get_ifd(0x8769).update({0x9003: "2023:08:13 09:26:38", 0x9291: fraction})
        image = scene()
        image.putpixel((0, 0), (number, 0, 0))
        (folder / f"{stem}.png").write_bytes(encode(image, "PNG", exif=exif))
        library.index(folder)  # in no order of names
    only = Filters(after="2023", before="2023")
    second = ["burst-2", f"{name}-2"] if name == "z" else [f"{name}-2", "burst-2"]
    expected = ["burst-1", *second, "burst-7", "burst-9"]

    def names(sort: str, n: int) -> list[str]:
        found, cursor = [], None
        while page := library.search(filters=only, sort=sort, n=n, cursor=cursor):  # type: ignore[arg-type]
            found += [Path(hit.path).stem for hit in page]
            cursor = page[-1].cursor
        return found

    for n in (1, 2, 9):
        assert names("oldest", n) == expected
        assert names("newest", n) == expected[::-1]
    ids = {hit.id: Path(hit.path).stem for hit in library.search(filters=only)}
    assert [ids[each] for each in library.browse(filters=only, sort="oldest").ids] == expected
    assert [ids[each] for each in library.browse(filters=only, sort="newest").ids] == expected[::-1]
