"""Thumbnails: small copies of pictures, as images, as JPEG files and as data: URLs."""

import base64
import io
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from PIL import Image

from seesay.errors import UnreadableImage
from seesay.images.read import read
from seesay.system.cpu import available_cores
from seesay.system.prefetch import prefetch
from seesay.system.progress import Progress

URL_PX = 320
QUALITY = 82  # of a JPEG

Source = str | os.PathLike[str] | bytes  # a file, a URL or encoded bytes


def thumbnail(source: Source, px: int, *, name: str | None = None) -> Image.Image:
    """An RGB copy whose longer side is at most `px`; a smaller picture keeps its size. Raises UnreadableImage."""
    image = read(source, decode="fast", enough_px=px, name=name).image
    image.thumbnail((px, px))
    return image


def thumbnail_jpeg(source: Source, px: int, *, name: str | None = None, progressive: bool = False) -> bytes:
    """A JPEG of `thumbnail`. Raises UnreadableImage."""
    stream = io.BytesIO()
    thumbnail(source, px, name=name).save(stream, "JPEG", quality=QUALITY, progressive=progressive)
    return stream.getvalue()


def thumbnail_url(source: Source, px: int = URL_PX) -> str:
    """A data: URL of `thumbnail_jpeg`; "" if the picture cannot be read."""
    try:
        jpeg = thumbnail_jpeg(source, px)
    except UnreadableImage:
        return ""
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode()


def thumbnails(paths: Sequence[str | Path], px: int, progress: Progress | None = None) -> Iterator[Image.Image | None]:
    """`thumbnail` of each file in order, decoded ahead on all cores; None for one that cannot be read."""

    def small(path: str | Path) -> Image.Image | None:
        try:
            return thumbnail(path, px)
        except UnreadableImage:
            return None

    for done, image in enumerate(prefetch(small, paths, threads=available_cores(), ahead=32), start=1):
        yield image
        if progress is not None:
            progress(done, len(paths))
