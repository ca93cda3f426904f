"""Pictures that commands draw: checked before the long work, written after it."""

import os
from gettext import gettext as _
from pathlib import Path
from typing import TYPE_CHECKING

from seesay.cli.output import echo_note, echo_wrote, refuse_input

if TYPE_CHECKING:
    from PIL import Image


def check_drawing(file: str | os.PathLike[str] | None, *inputs: str) -> None:
    """Raises InputError for a file that cannot hold a drawing, and UsageError where it is one of the pictures that are read."""
    from seesay.render.drawings import format_of

    if file is not None:
        format_of(Path(file))
        refuse_input(file, *inputs)


def write_drawing(image: "Image.Image", file: str | os.PathLike[str], unknown: str = "") -> None:
    """Writes a drawing and says so. unknown: letters of its texts that no font has."""
    from seesay.render.drawings import save

    save(image, Path(file))
    if unknown:
        echo_note(_("no font here has {letters}; the picture shows boxes for them").format(letters=unknown[:10]))
    echo_wrote(file)
