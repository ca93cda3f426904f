"""Walks folders for pictures."""

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from seesay.images.decoding.formats import LINKED, LIVE_PHOTO, RAW_BESIDE, RAW_PHOTO, SUFFIXES, VIDEO, is_read, passed_over
from seesay.library.indexing.report import Failure

# What a phone or a camera writes beside a picture, under its name.
COMPANIONS = {VIDEO: LIVE_PHOTO, RAW_PHOTO: RAW_BESIDE}
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
    cannot occur. `skipped` counts what looks like a picture or a video and is not read, and those links, by folder below the
    root and kind, so that nobody wonders where they went.
    """

    root: str
    start: str = ""
    excluded: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        self.blind: list[Failure] = []
        self.skipped: Counter[tuple[str, str]] = Counter()

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
            below, shown = [], _shown(entry.name for entry in listed)
            for entry in listed:
                path = os.path.join(folder, entry.name)
                if entry.name.startswith(".") or (self.excluded and os.path.join(self.root, path) in self.excluded):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    below.append(path)
                    continue
                stem, suffix = _parts(entry.name)
                if entry.is_symlink() and entry.is_dir():
                    self.skipped[folder, LINKED] += 1
                elif is_read(suffix):
                    if found := stat(self.root, path):
                        yield found
                elif (kind := passed_over(suffix)) is not None:
                    self.skipped[folder, COMPANIONS.get(kind, kind) if stem in shown else kind] += 1
            folders += reversed(below)  # depth first, in order of name

    def by_kind(self) -> Counter[str]:
        """What was passed over, wherever it was."""
        counts = Counter[str]()
        for (_, kind), count in self.skipped.items():
            counts[kind] += count
        return counts

    def saw(self, path: str) -> bool:
        """Whether a file at `path` would have been seen: false below a folder that could not be read."""
        full = os.path.join(self.root, path)
        return not any(full.startswith(folder.path.rstrip(os.sep) + os.sep) for folder in self.blind)


def _parts(name: str) -> tuple[str, str]:
    """The name without its suffix, and the suffix, both in small letters."""
    stem, suffix = os.path.splitext(name)
    return stem.lower(), suffix.lower()


def _shown(names: Iterable[str]) -> set[str]:
    """The names, without suffix, of pictures in a folder."""
    return {stem for stem, suffix in map(_parts, names) if suffix in SUFFIXES}


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
