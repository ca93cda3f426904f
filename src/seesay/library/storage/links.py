"""Chooses which of a picture's files to show, and recognises several names of one file on disk.

Hard links and symbolic links are one file: nothing is freed by deleting one of them.
"""

import os
from collections.abc import Iterable, Sequence


def by_age(path: str, mtime_ns: int) -> tuple[bool, int, int, str]:
    """A sort key of files with the same bytes, the one to show and to keep first.

    A file comes before a link to it, then the older one, then the one with the shorter path.
    """
    return os.path.realpath(path) != path, mtime_ns, len(path), path


def in_order(files: Sequence[tuple[str, int]]) -> list[str]:
    """(path, mtime_ns) of files with the same bytes -> paths, the one to show first. A single one is not looked up on disk."""
    return [path for path, _ in (files if len(files) == 1 else sorted(files, key=lambda file: by_age(*file)))]


def on_disk(path: str, status: os.stat_result) -> object:
    """An identity, equal for every name of one file. Some network file systems do not number their files."""
    return (status.st_dev, status.st_ino) if status.st_ino else os.path.realpath(path)


def one_each(paths: Iterable[str]) -> dict[str, bool]:
    """Names of files -> the first name of each file, and whether it can be seen now. Names without a file stay apart."""
    names: dict[object, tuple[str, bool]] = {}
    for path in paths:
        try:
            names.setdefault(on_disk(path, os.stat(path)), (path, True))
        except OSError:
            names[path] = path, False
    return dict(names.values())
