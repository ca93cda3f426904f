import numpy as np
import pytest
from PIL import Image

from seesay.render.strip import CELL_PX, FRAME, GAP_PX, Cell, draw_strip


def test_pictures_keep_their_shape_and_given_ones_are_framed() -> None:
    wide = Image.new("RGB", (400, 100), "red")
    strip, unknown = draw_strip([[Cell(wide, given=True)], [Cell(wide, "25%"), Cell(wide, "more")]])
    assert unknown == ""
    step = CELL_PX + GAP_PX
    assert strip.width == 2 * step + GAP_PX
    levels = np.asarray(strip)
    red = (levels == (255, 0, 0)).all(axis=2)
    ys, xs = np.nonzero(red[:CELL_PX, step + GAP_PX :])
    assert (np.ptp(xs) + 1, np.ptp(ys) + 1) == (CELL_PX, CELL_PX // 4)
    frame = tuple(int(FRAME[at : at + 2], 16) for at in (1, 3, 5))
    assert tuple(levels[GAP_PX, GAP_PX]) == frame
    assert tuple(levels[GAP_PX, step + GAP_PX]) != frame
    below = levels[GAP_PX + CELL_PX : GAP_PX + CELL_PX + 20]
    assert below[:, step:].min() < 100, "a caption"
    assert below[:, :step].min() == 255, "none"


@pytest.mark.parametrize("text", ["snow", "a very long text " * 40, "word" * 60])
def test_a_text_stays_in_its_cell(text: str) -> None:
    strip, _ = draw_strip([[Cell(text)], [Cell("x")]])
    levels = np.asarray(strip.convert("L"))
    cell = levels[GAP_PX : GAP_PX + CELL_PX, GAP_PX : GAP_PX + CELL_PX]
    assert cell.min() < 100, "letters"
    assert levels[:, GAP_PX + CELL_PX : 2 * GAP_PX + CELL_PX].min() == 255, "the gap is empty"


def test_nothing_to_draw_is_an_empty_strip() -> None:
    assert draw_strip([])[0].size == (GAP_PX, GAP_PX)
