"""Walks folders for pictures."""

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from seesay.images.read import SUFFIXES
from seesay.library.report import Failure

# Pictures and videos of kinds that are not read: counted, so that nobody wonders where they went.
OTHER_PICTURES = frozenset(
    (".heic", ".heif", ".jxl", ".jp2", ".svg", ".psd", ".cr2", ".cr3", ".nef", ".arw", ".dng", ".raf", ".rw2")
)
VIDEOS = frozenset((".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v", ".3gp"))
OTHER_MEDIA = OTHER_PICTURES | VIDEOS
TEXT_SUFFIXES = frozenset((".tsv", ".csv", ".txt"))


class Found(NamedTuple):
    path: str  # below the crawled root
    size: int
    mtime_ns: int


@dataclass
class Crawl:
    """One walk below `root`, from `start` (relative, '' for all of it). Folders that cannot be read are kept in `blind`;
    `excluded` are absolute paths of folders and files that are passed over.

    Hidden files and folders are passed over (thumbnail caches live there); links to folders are not followed, so that loops
    cannot occur.
    """

    root: str
    start: str = ""
    excluded: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        self.blind: list[Failure] = []
        self.skipped: Counter[str] = Counter()  # files of OTHER_MEDIA by suffix

    def __iter__(self) -> Iterator[Found]:
        folders = [self.start]
        while folders:
            folder = folders.pop()
            try:
                with os.scandir(os.path.join(self.root, folder)) as entries:
                    listed = sorted(entries, key=lambda entry: entry.name)
            except OSError as error:
                reason = error.strerror or str(error)
                self.blind.append(Failure(os.path.join(self.root, folder), f"cannot list this folder ({reason})"))
                continue
            below = []
            for entry in listed:
                path = os.path.join(folder, entry.name)
                if entry.name.startswith(".") or (self.excluded and os.path.join(self.root, path) in self.excluded):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    below.append(path)
                    continue
                suffix = os.path.splitext(entry.name)[1].lower()
                if suffix in SUFFIXES and (found := stat(self.root, path)):
                    yield found
                self.skipped.update([suffix] if suffix in OTHER_MEDIA else ())
            folders += reversed(below)  # depth first, in order of name

    def saw(self, path: str) -> bool:
        """Whether a file at `path` would have been seen: false below a folder that could not be read."""
        full = os.path.join(self.root, path)
        return not any(full.startswith(folder.path.rstrip(os.sep) + os.sep) for folder in self.blind)


def stat(root: str, path: str) -> Found | None:
    """The file's size and time, or None where it is gone or not a file (a dangling link, a pipe)."""
    full = os.path.join(root, path) if path else root
    try:
        status = os.stat(full)
    except OSError:
        return None
    return Found(path, status.st_size, status.st_mtime_ns) if os.path.isfile(full) else None


def is_text_list(path: str) -> bool:
    return os.path.splitext(path)[1].lower() in TEXT_SUFFIXES
