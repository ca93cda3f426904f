"""Which of a picture's files is meant where one is shown, and which names are of one file on disk.

Hard links and symbolic links are one file: nothing is freed by deleting one of them.
"""

import os
from collections.abc import Iterable, Sequence


def by_age(path: str, mtime_ns: int) -> tuple[bool, int, int, str]:
    """What files of the same bytes are sorted by, the one to show and to keep first: a file before a link to it, then the
    older one, then the one of the shortest path."""
    return os.path.realpath(path) != path, mtime_ns, len(path), path


def in_order(files: Sequence[tuple[str, int]]) -> list[str]:
    """Paths of files of the same bytes, the one to show first. files: (path, mtime_ns). One alone is not looked at on disk."""
    return [path for path, _ in (files if len(files) == 1 else sorted(files, key=lambda file: by_age(*file)))]


def on_disk(path: str, status: os.stat_result) -> object:
    """The same for every name of one file. Some network file systems do not number their files."""
    return (status.st_dev, status.st_ino) if status.st_ino else os.path.realpath(path)


def one_each(paths: Iterable[str]) -> dict[str, bool]:
    """The first name of each file, and whether it is there now; of names without a file nothing tells whether they are one."""
    found: dict[object, tuple[str, bool]] = {}
    for path in paths:
        try:
            found.setdefault(on_disk(path, os.stat(path)), (path, True))
        except OSError:
            found[path] = path, False
    return dict(found.values())
