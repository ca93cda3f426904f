"""A strip of pictures and texts in columns, each with a caption: what was mixed, and what was found along the way."""

import textwrap
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

from seesay.render.letters import font_for
from seesay.render.segments import INK, PAPER
from seesay.system.paths import printable

CELL_PX = 176
GAP_PX = 8
LETTER_PX = 14  # of a caption
TEXT_PX = 20
LETTERS = 14  # of a line of text in a cell; half as many of Chinese
LINES = 7
FRAME, GROUND = "#0072b2", "#f2f2f2"
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


@dataclass(frozen=True)
class Cell:
    """A picture, or a text in its place, above its caption. given: it is framed, as what the user gave."""

    content: Image.Image | str
    caption: str = ""
    given: bool = False


def draw_strip(columns: Sequence[Sequence[Cell]]) -> tuple[Image.Image, str]:
    """Columns of cells from left to right, as an RGB image; and the letters of their texts that no font here has."""
    cells = [cell for column in columns for cell in column]
    texts = "".join(part for cell in cells for part in (cell.content, cell.caption) if isinstance(part, str))
    (small, unknown), (large, _) = (font_for(printable(texts), side) for side in (LETTER_PX, TEXT_PX))
    step, height = CELL_PX + GAP_PX, CELL_PX + LETTER_PX + 2 * GAP_PX
    rows = max(map(len, columns), default=0)
    strip = Image.new("RGB", (len(columns) * step + GAP_PX, rows * height + GAP_PX), PAPER)
    draw = ImageDraw.Draw(strip)
    for across, column in enumerate(columns):
        for down, cell in enumerate(column):
            _draw_cell(strip, draw, cell, (GAP_PX + across * step, GAP_PX + down * height), small, large)
    return strip, unknown


def _draw_cell(
    strip: Image.Image, draw: ImageDraw.ImageDraw, cell: Cell, corner: tuple[int, int], small: Font, large: Font
) -> None:
    x, y = corner
    tile = Image.new("RGB", (CELL_PX, CELL_PX), GROUND)  # which also cuts a text with very wide letters
    if isinstance(cell.content, str):
        middle = (CELL_PX // 2, CELL_PX // 2)
        ImageDraw.Draw(tile).multiline_text(middle, _wrapped(cell.content), INK, large, "mm", spacing=5, align="center")
    else:
        picture = cell.content.convert("RGB")
        picture.thumbnail(tile.size)
        tile.paste(picture, ((CELL_PX - picture.width) // 2, (CELL_PX - picture.height) // 2))
    if cell.given:
        ImageDraw.Draw(tile).rectangle((0, 0, CELL_PX - 1, CELL_PX - 1), outline=FRAME, width=3)
    strip.paste(tile, corner)
    draw.text((x + CELL_PX // 2, y + CELL_PX + GAP_PX // 2), printable(cell.caption), fill=INK, font=small, anchor="ma")


def _wrapped(text: str) -> str:
    """A text in at most LINES lines."""
    is_wide = sum(unicodedata.east_asian_width(letter) in "WF" for letter in text) > len(text) / 2
    lines = textwrap.wrap(printable(text), LETTERS // 2 if is_wide else LETTERS) or [""]
    return "\n".join(lines if len(lines) <= LINES else [*lines[: LINES - 1], "..."])
