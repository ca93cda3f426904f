"""The figure of a similarity matrix: readable files, and a report of letters that no font has."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seesay.errors import InputError
from seesay.render.similarity import draw, picture_labels
from tests.conftest import COLOURS, Paint

UNKNOWN = "\U0010fffd\U0010fffc"  # private letters, which no font draws


def test_pictures_stand_above_and_texts_at_the_left(paint: Paint, tmp_path: Path) -> None:
    shown = picture_labels([str(paint(f"{colour}.png", colour)) for colour in ("red", "blue", "green")])
    cosine = np.array([[1.0, 0.5, 0.0], [0.2, 0.3, -0.25]])
    file = tmp_path / "new" / "a.png"
    assert draw(cosine, ["a $red$ one", f"blue {UNKNOWN}"], shown, file) == UNKNOWN
    with Image.open(file) as image:
        pixels = np.asarray(image.convert("RGB")).astype(int)
    places = []
    for colour in (COLOURS["red"], COLOURS["blue"], COLOURS["green"]):
        rows, columns = np.nonzero((np.abs(pixels - colour) < 60).all(axis=2))
        assert len(rows) > 1000
        assert rows.max() < pixels.shape[0] / 2
        places.append(columns.mean())
    assert places == sorted(places)
    text = tmp_path / "a.svg"
    assert draw(cosine, ["one", "two"], ["x", "y", "z"], text) == ""
    assert text.read_text(encoding="utf-8").lstrip().startswith("<?xml")


def test_what_cannot_be_drawn_says_why(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="ends in one of .*png"):
        draw(np.ones((1, 1)), ["a"], ["a"], tmp_path / "a.docx")
    with pytest.raises(InputError, match="at most 40 rows and columns, got 41 and 1"):
        draw(np.ones((41, 1)), ["a"] * 41, ["a"], tmp_path / "a.png")
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write the figure to"):
        draw(np.ones((1, 1)), ["a"], ["a"], tmp_path / "file" / "a.png")
