"""The contact sheet: its grid, and where each thumbnail stands in it."""

import io

from PIL import Image

from seesay.render.contact_sheet import SHEET_PX, contact_sheet, grid


def test_a_sheet_stays_within_what_browsers_take() -> None:
    assert grid(1) == (1, 96)
    assert grid(5) == (3, 96)
    columns, side = grid(9_000)
    assert columns * columns >= 9_000
    assert columns * side <= SHEET_PX


def test_each_thumbnail_stands_in_its_cell() -> None:
    tiles = [Image.new("RGB", (60, 40), "red"), None, Image.new("RGB", (40, 60), "blue")]
    jpeg, sizes = contact_sheet(tiles, columns=2, side=60)
    assert sizes == [(60, 40), (0, 0), (40, 60)]
    with Image.open(io.BytesIO(jpeg)) as sheet:
        assert sheet.size == (120, 120)
        red, empty, blue = (sheet.getpixel(at) for at in ((20, 20), (90, 20), (20, 90)))
    assert isinstance(red, tuple)
    assert isinstance(empty, tuple)
    assert isinstance(blue, tuple)
    assert red[0] > 200 > 60 > red[2]
    assert max(empty) - min(empty) < 8
    assert blue[2] > 200 > 60 > blue[0]
