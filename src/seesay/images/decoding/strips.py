"""Processing large pictures in strips, whose copies with alpha or as floats take little memory."""

from PIL import Image

STRIP = 4_000_000  # pixels of one


def strips(image: Image.Image) -> list[tuple[int, int]]:
    """(first row, row after the last) of each strip, from the top."""
    rows = max(1, STRIP // max(image.width, 1))
    return [(top, min(top + rows, image.height)) for top in range(0, image.height, rows)]
