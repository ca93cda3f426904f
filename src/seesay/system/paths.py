"""Paths as people see them, and as the database holds them.

Stored as TEXT, or as BLOB for the rare name that is not UTF-8, which SQLite could not store as text.
"""

import os
import re
from typing import TypeGuard

Stored = str | bytes


def printable(path: str | os.PathLike[str]) -> str:
    """A path as text that any terminal takes: bytes that are not UTF-8 and control characters show as escapes."""
    if isinstance(path, str) and path.isprintable():  # nearly all are
        return path
    text = os.fsencode(path).decode("utf-8", "backslashreplace")
    return re.sub(r"[\x00-\x1f\x7f-\x9f]", lambda found: repr(found[0])[1:-1], text)


def is_url(item: object) -> TypeGuard[str]:
    """A str that begins with http:// or https:// is where a picture is, and no path of a file."""
    return isinstance(item, str) and item[:8].lower().startswith(("http://", "https://"))


def to_db(path: str) -> Stored:
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        return os.fsencode(path)
    return path


def from_db(stored: Stored) -> str:
    return stored if isinstance(stored, str) else os.fsdecode(stored)


def absolute(path: str | os.PathLike[str]) -> str:
    """Absolute, without symbolic links being followed: a person's folder keeps the name that they use for it."""
    return os.path.abspath(os.path.expanduser(path))


def below(path: str, folder: str) -> str | None:
    """`path` relative to `folder` ('' when equal), or None where it is not inside."""
    if path == folder:
        return ""
    prefix = folder if folder.endswith(os.sep) else folder + os.sep
    return path[len(prefix) :] if path.startswith(prefix) else None


def join(root: str, relative: str) -> str:
    return os.path.join(root, relative) if relative else root
