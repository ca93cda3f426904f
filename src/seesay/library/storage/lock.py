"""The lock of a library's one writer, which the system releases however the process ends."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from seesay.errors import LibraryError, LibraryLocked
from seesay.library.storage.schema import is_full
from seesay.system.files import lock_file


@contextmanager
def writer_lock(folder: Path) -> Iterator[None]:
    """Holds the lock of the library in `folder`, which exists.

    Raises LibraryLocked where another process has it, LibraryError where the folder, or later the database, cannot be written.
    """
    owner = folder / "writer.txt"
    try:
        lock = lock_file(folder / "writer.lock", wait=False)
    except BlockingIOError:
        who = owner.read_text(encoding="utf-8").strip() if owner.is_file() else "another process"
        raise LibraryLocked(
            f"{folder} is being written to by {who}. Wait until it is done, or use another --library; searching still works"
        ) from None
    except OSError as error:
        raise LibraryError(f"cannot write to the library at {folder}: {error.strerror or error}") from None
    try:
        with suppress(OSError):  # on a full disk there may still be something to forget
            owner.write_text(f"process {os.getpid()}\n", encoding="utf-8")
        yield
    except sqlite3.DatabaseError as error:
        again = ". What was indexed so far is kept. If the disk is full, make room there; then run it again"
        reason = f"{error}{again if is_full(error) else ''}"
        raise LibraryError(f"cannot write to the library at {folder}: {reason}") from None
    finally:
        lock.release()
