"""Names of files in downloads and ZIPs, as other systems can take them."""

import io
import os
import time
import zipfile
from pathlib import Path
from urllib.parse import unquote

import pytest
from PIL import Image
from starlette.testclient import TestClient

from seesay.library import Library
from seesay.model import Model
from seesay.serving.limits import FILENAME_BYTES
from seesay.serving.photos.filenames import attachment, portable, readable
from tests.conftest import Paint
from tests.serving.conftest import Serve

NOT_UTF8 = os.fsdecode(b"\xe9t\xe9.png")  # été as Latin-1 writes it


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("red.jpg", "red.jpg"),
        ("con.jpg", "con_.jpg"),
        ("AUX", "AUX_"),
        ("COM¹.png", "COM¹_.png"),
        ('a:b?"c|d<e>f*g.jpg', "a_b__c_d_e_f_g.jpg"),
        ("a\\b.jpg", "a_b.jpg"),
        ("..\\..\\a.jpg", ".._.._a.jpg"),
        ("end. ", "end"),
        ("..", "picture"),
        ("照片.jpg", "照片.jpg"),
        ("e\u0301.jpg", "é.jpg"),
        ("a\nb.jpg", "a�b.jpg"),
        (NOT_UTF8, "�t�.png"),
    ],
)
def test_names_that_windows_takes(name: str, expected: str) -> None:
    assert portable(name) == expected


def test_long_names_keep_their_suffix() -> None:
    made = portable("照" * 200 + ".jpg")
    assert made.endswith("照.jpg")
    assert FILENAME_BYTES - 3 < len(made.encode()) <= FILENAME_BYTES


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("red 1.jpg", "red 1.jpg"),
        ("照片.jpg", "__.jpg"),
        ('a"b.jpg', "a_b.jpg"),
        ("100%.jpg", "100_.jpg"),
        ("a\r\nX-Evil: 1.jpg", "a__X-Evil: 1.jpg"),
        (NOT_UTF8, "_t_.png"),
    ],
)
def test_the_header_of_a_download(name: str, plain: str) -> None:
    header = attachment(name)
    header.encode("ascii")
    assert header.startswith(f'attachment; filename="{plain}"')
    _, extended, whole = header.partition("; filename*=UTF-8''")
    assert bool(extended) == (plain != name)
    assert unquote(whole or plain) == readable(name)


def test_downloads_have_any_name(serve: Serve, paint: Paint, tmp_path: Path, fake: Model) -> None:
    for name in (NOT_UTF8, "con.png", "照片.png", "a:b.png"):
        paint(name)
    with Library(tmp_path / "library", fake) as library:
        library.index(tmp_path / "pictures")
    client = serve(library=tmp_path / "library")
    ids = client.post("/v1/browse", json={"sort": "name"}).json()["ids"]
    headers = {client.get(f"/v1/items/{name}/file").headers["content-disposition"] for name in ids}
    assert headers == {attachment(name) for name in (NOT_UTF8, "con.png", "照片.png", "a:b.png")}
    answer = client.post("/v1/export", json={"ids": ids})
    with zipfile.ZipFile(io.BytesIO(answer.content)) as whole:
        assert sorted(whole.namelist()) == ["a_b.png", "con_.png", "照片.png", "�t�.png"]
        assert whole.testzip() is None
        for entry in whole.infolist():
            assert entry.external_attr >> 16 == 0o644


def test_names_that_become_equal_are_numbered(serve: Serve, paint: Paint, tmp_path: Path, fake: Model) -> None:
    for name in ("a:b.png", "a?b.png", "A_B.png", "é.png", "e\u0301.png"):
        paint(name)
    assert zipped(serve, tmp_path, fake).keys() == {"A_B.png", "a_b (2).png", "a_b (3).png", "é.png", "é (2).png"}


def test_entries_have_the_day_of_the_picture(serve: Serve, paint: Paint, tmp_path: Path, fake: Model) -> None:
    def taken(year: int) -> Image.Exif:
        exif = Image.Exif()
        exif.get_ifd(0x8769)[0x9003] = f"{year}:05:17 18:30:04"
        return exif

    paint("dated.jpg", exif=taken(2021))
    paint("scanned.jpg", exif=taken(1956))
    changed = time.mktime((2020, 2, 29, 12, 0, 2, 0, 0, -1))
    os.utime(paint("undated.png"), (changed, changed))
    os.utime(paint("ancient.png"), (0, 0))
    assert zipped(serve, tmp_path, fake) == {
        "dated.jpg": (2021, 5, 17, 18, 30, 4),
        "scanned.jpg": (1980, 1, 1, 0, 0, 0),
        "undated.png": (2020, 2, 29, 12, 0, 2),
        "ancient.png": (1980, 1, 1, 0, 0, 0),
    }


def zipped(serve: Serve, tmp_path: Path, fake: Model) -> dict[str, tuple[int, ...]]:
    """The names and dates of a ZIP of all pictures."""
    with Library(tmp_path / "library", fake) as library:
        library.index(tmp_path / "pictures")
    client: TestClient = serve(library=tmp_path / "library")
    answer = client.post("/v1/export", json={"ids": client.post("/v1/browse", json={"sort": "name"}).json()["ids"]})
    with zipfile.ZipFile(io.BytesIO(answer.content)) as whole:
        return {entry.filename: entry.date_time for entry in whole.infolist()}
