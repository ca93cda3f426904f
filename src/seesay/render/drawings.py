"""Drawings as files: in the format that a file's suffix names, written whole or not at all."""

from pathlib import Path

from PIL import Image

from seesay.errors import InputError
from seesay.system.files import atomic_write
from seesay.system.paths import printable

FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}


def format_of(file: Path) -> str:
    """The format that a file's suffix names. Raises InputError."""
    if (suffix := file.suffix.lower()) not in FORMATS:
        raise InputError(f"expected a file that ends in {', '.join(FORMATS)}, got {printable(str(file))}")
    return FORMATS[suffix]


def save(image: Image.Image, file: Path) -> None:
    """Writes an image in the format that its file's suffix names. Raises InputError."""
    form = format_of(file)
    try:
        with atomic_write(file) as draft:
            image.save(draft, form)
    except OSError as error:
        raise InputError(f"cannot write the picture to {printable(str(file))}: {error.strerror or error}") from None
