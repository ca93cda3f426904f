"""Files on disk: atomic writes, locks between processes, and caches of numpy arrays."""

import os
import stat
import threading
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from filelock import BaseFileLock

DRAFT = ".part-"  # stands between a file's name and its writer's in the name of a draft
DAMAGE = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error)


@contextmanager
def atomic_write(file: Path, *, durable: bool = False) -> Iterator[Path]:
    """Yields the path of a draft in the folder of `file`, for the block to write; then renames it to `file`.

    Readers see the old file or the whole new one. If the block raises, `file` stays as it was and the draft is removed.
    Missing folders are made. durable: the draft reaches the disk before it is renamed, so that a power failure cannot leave an
    empty file under this name. tempfile is not used: others who share the folder
    could not read its files. Raises OSError.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(f"{file.name}{DRAFT}{os.getpid()}-{threading.get_ident()}")
    try:
        yield draft
        if durable:
            with draft.open("rb+") as stream:
                os.fsync(stream.fileno())
        draft.replace(file)
    except BaseException:
        with suppress(OSError):
            draft.unlink()
        raise


def write_atomically(file: Path, content: str | bytes, *, durable: bool = False) -> None:
    """Writes a small file, text as UTF-8, in one step (`atomic_write`). Raises OSError."""
    with atomic_write(file, durable=durable) as draft:
        draft.write_bytes(content if isinstance(content, bytes) else content.encode())


@contextmanager
def usual_mode(file: Path) -> Iterator[None]:
    """Makes a file that others may read as any new one; the block writes it through a library that would hide it from them.

    Raises OSError.
    """
    file.touch()
    mode = file.stat().st_mode
    yield
    file.chmod(stat.S_IMODE(mode))


def lock_file(file: Path, *, wait: bool) -> "BaseFileLock":
    """Acquires a lock that one process holds at a time, until `release()` or the end of the process, however it ends.

    The file is made where it does not exist; its folder must. Raises BlockingIOError if another process holds the lock and
    `wait` is false; OSError.
    """
    from filelock import FileLock, Timeout  # only writers need it

    lock = FileLock(file)
    try:
        lock.acquire(timeout=-1 if wait else 0)
    except Timeout:
        raise BlockingIOError(f"{file} is locked by another process") from None
    return lock


def read_arrays(file: Path) -> "dict[str, np.ndarray] | None":
    """The arrays of an .npz file by name; None if it does not exist or is damaged (its archive has checksums)."""
    import numpy as np  # commands that only write text need not load it

    try:
        with (
            file.open("rb") as stream,  # numpy would leave a damaged file of its own open
            np.load(stream, allow_pickle=False) as archive,
        ):
            return {name: archive[name] for name in archive.files}
    except DAMAGE:
        return None


def write_arrays(file: Path, **arrays: "np.ndarray") -> None:
    """Caches arrays as an .npz file, written atomically.

    A cache that cannot be written (full disk, no permission) raises nothing: the caller has the arrays, and computes them again
    next time.
    """

    with suppress(OSError), atomic_write(file) as draft:
        write_npz(draft, arrays)


def write_npz(file: Path, arrays: "Mapping[str, np.ndarray]") -> None:
    """Writes arrays as an .npz file. Raises OSError.

    As numpy.savez does, which on a full disk leaves the archive to the garbage collector, whose traceback nobody can catch.
    """
    import numpy as np

    with zipfile.ZipFile(file, "w", allowZip64=True) as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.asanyarray(array), allow_pickle=False)


def file_state(file: Path) -> tuple[int, int, int] | None:
    """A version of a file, by which a change shows: inode, time and size; None where there is no file."""
    try:
        status = os.stat(file)
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size
