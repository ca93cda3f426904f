"""Letters on drawings: their size, and a font that has them."""

from PIL import ImageFont

LETTERS_PER_SIDE = 36  # of the shorter side
LEAST_LETTER_PX = 12


def letter_px(size: tuple[int, int]) -> int:
    """The height of letters on a picture of a size."""
    return max(LEAST_LETTER_PX, round(min(size) / LETTERS_PER_SIDE))


def font_for(text: str, side: int) -> tuple[ImageFont.FreeTypeFont | ImageFont.ImageFont, str]:
    """A font for a text, and the letters that it lacks. Pillow's own has English ones; for others the fonts of this system are
    looked through, where matplotlib is there to list them."""
    plain = ImageFont.load_default(side)
    if text.isascii():
        return plain, ""
    try:
        from seesay.render.fonts import file_for

        file, unknown = file_for(text)
    except ImportError:
        return plain, "".join(dict.fromkeys(letter for letter in text if not letter.isascii()))
    return ImageFont.truetype(file, side), unknown
