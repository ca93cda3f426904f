"""Paths: for messages, for the database, and relative to folders."""

import os
import re
from typing import TypeGuard

StoredPath = str | bytes  # TEXT; BLOB for the rare name that is not UTF-8, which SQLite cannot store as text


def printable(path: str | os.PathLike[str]) -> str:
    """A path as text for any terminal: bytes that are not UTF-8 and control characters become escapes."""
    if isinstance(path, str) and path.isprintable():  # nearly all are
        return path
    text = os.fsencode(path).decode("utf-8", "backslashreplace")
    return re.sub(r"[\x00-\x1f\x7f-\x9f]", lambda match: repr(match[0])[1:-1], text)


def is_url(item: object) -> TypeGuard[str]:
    """Whether an item is a str that begins with http:// or https://, and so no path of a file."""
    return isinstance(item, str) and item[:8].lower().startswith(("http://", "https://"))


def to_db(path: str) -> StoredPath:
    """A path as the database stores it."""
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        return os.fsencode(path)
    return path


def from_db(stored: StoredPath) -> str:
    """The path that `to_db` was given."""
    return stored if isinstance(stored, str) else os.fsdecode(stored)


def absolute(path: str | os.PathLike[str]) -> str:
    """The absolute path, with ~ expanded. Symbolic links are not resolved: a folder keeps the name its owner uses."""
    return os.path.abspath(os.path.expanduser(path))


def below(path: str, folder: str) -> str | None:
    """`path` relative to `folder` ('' if they are equal); None if it is not inside."""
    if path == folder:
        return ""
    prefix = folder if folder.endswith(os.sep) else folder + os.sep
    return path[len(prefix) :] if path.startswith(prefix) else None


def join(root: str, relative: str) -> str:
    """The inverse of `below`."""
    return os.path.join(root, relative) if relative else root
