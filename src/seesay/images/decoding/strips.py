"""Large pictures a strip at a time: a copy of all of one, with alpha or as floats, would take more than the picture."""

from PIL import Image

STRIP = 4_000_000  # pixels


def strips(image: Image.Image) -> list[tuple[int, int]]:
    """The rows of each, from and to."""
    rows = max(1, STRIP // max(image.width, 1))
    return [(top, min(top + rows, image.height)) for top in range(0, image.height, rows)]
