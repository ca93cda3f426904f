"""`Pictures`: what a command is given to read, as files, URLs, and folders with all pictures in them."""

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from seesay.library.indexing.report import Failure
from seesay.system.paths import is_url

if TYPE_CHECKING:
    from PIL import Image


def read_whole(source: str) -> "Image.Image":
    """The picture at a path or URL, upright and in RGB, with a note where its file is damaged. Raises UnreadableImage."""
    from seesay.images.read import read, warn_damaged

    picture = read(source)
    warn_damaged(picture, source)
    return picture.image


@dataclass
class Pictures:
    """paths: of files and URLs, each once, in order. failed: folders that cannot be read. skipped: files that look like
    pictures or videos and are not read, by kind (`output.echo_skipped`)."""

    paths: list[str] = field(default_factory=list)
    failed: list[Failure] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)

    @staticmethod
    def given(inputs: Sequence[str]) -> "Pictures":
        """The pictures that these arguments name."""
        from seesay.library.indexing.crawl import Crawl

        pictures, found = Pictures(), dict[str, None]()
        for path in inputs:
            if is_url(path) or not os.path.isdir(path):
                found[path] = None
                continue
            crawl = Crawl(path)
            found.update(dict.fromkeys(os.path.join(path, file.path) for file in crawl))
            pictures.failed += crawl.blind
            pictures.skipped.update(crawl.by_kind())
        pictures.paths = list(found)
        return pictures
