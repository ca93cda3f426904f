"""`Crawl`: walks folders for pictures."""

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from seesay.images.decoding.formats import LINKED, LIVE_PHOTO, RAW_BESIDE, RAW_PHOTO, SUFFIXES, VIDEO, is_read, passed_over
from seesay.library.indexing.report import Failure

# The kinds of files that a phone or a camera writes beside a picture, under the same name.
COMPANIONS = {VIDEO: LIVE_PHOTO, RAW_PHOTO: RAW_BESIDE}
TEXT_SUFFIXES = frozenset((".tsv", ".csv", ".txt"))


class CrawledFile(NamedTuple):
    """A file on disk."""

    path: str  # below the crawled root
    size: int
    mtime_ns: int


@dataclass
class Crawl:
    """One walk below `root`, from `start` (relative, '' for all of it), in order of name, as an iterable.

    excluded: absolute paths of folders and files to skip. Hidden ones are skipped too (thumbnail caches are hidden); links to
    folders are not followed, so that loops cannot occur. Afterwards `blind` has the folders that cannot be read, and `skipped`
    counts files that look like pictures or videos and are not read, and those links, by folder below the root and kind.
    """

    root: str
    start: str = ""
    excluded: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        self.blind: list[Failure] = []
        self.skipped: Counter[tuple[str, str]] = Counter()

    def __iter__(self) -> Iterator[CrawledFile]:
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
            subfolders, pictures = [], _picture_stems(entry.name for entry in listed)
            for entry in listed:
                path = os.path.join(folder, entry.name)
                if entry.name.startswith(".") or (self.excluded and os.path.join(self.root, path) in self.excluded):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    subfolders.append(path)
                    continue
                stem, suffix = _parts(entry.name)
                if entry.is_symlink() and entry.is_dir():
                    self.skipped[folder, LINKED] += 1
                elif is_read(suffix):
                    if file := stat(self.root, path):
                        yield file
                elif (kind := passed_over(suffix)) is not None:
                    self.skipped[folder, COMPANIONS.get(kind, kind) if stem in pictures else kind] += 1
            folders += reversed(subfolders)  # depth first, in order of name

    def by_kind(self) -> Counter[str]:
        """Skipped files of all folders by kind."""
        counts = Counter[str]()
        for (_, kind), count in self.skipped.items():
            counts[kind] += count
        return counts

    def covers(self, path: str) -> bool:
        """Whether the walk would have found a file at `path`: false below a folder that could not be read."""
        full = os.path.join(self.root, path)
        return not any(full.startswith(folder.path.rstrip(os.sep) + os.sep) for folder in self.blind)


def _parts(name: str) -> tuple[str, str]:
    """The name without its suffix, and the suffix, both in lower case."""
    stem, suffix = os.path.splitext(name)
    return stem.lower(), suffix.lower()


def _picture_stems(names: Iterable[str]) -> set[str]:
    """The names, without suffix, of pictures in a folder."""
    return {stem for stem, suffix in map(_parts, names) if suffix in SUFFIXES}


def stat(root: str, path: str) -> CrawledFile | None:
    """A file below the root with its size and time; None where there is none, or no regular file (a dangling link, a pipe)."""
    full = os.path.join(root, path) if path else root
    try:
        status = os.stat(full)
    except OSError:
        return None
    return CrawledFile(path, status.st_size, status.st_mtime_ns) if os.path.isfile(full) else None


def is_text_list(path: str) -> bool:
    """Whether a path has the suffix of a list of texts."""
    return os.path.splitext(path)[1].lower() in TEXT_SUFFIXES
