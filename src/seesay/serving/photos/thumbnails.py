"""Small copies of the library's pictures, made when first asked for and kept in the user's cache."""

import threading
from contextlib import suppress
from pathlib import Path

from seesay.images.decoding.formats import READER
from seesay.images.thumbnail import thumbnail_jpeg
from seesay.serving import limits
from seesay.system.files import write_atomically


class Thumbnails:
    """folder: of the cache; None keeps none. A name is a content's, so what is kept goes out of date with
    the reader only."""

    def __init__(self, folder: Path | None, most_bytes: int = limits.THUMBNAIL_CACHE_BYTES) -> None:
        self._folder = folder
        self._most = most_bytes
        self._written = 0  # bytes since the folder was last looked through
        self._lock = threading.Lock()
        if folder is not None:
            self._prune_behind()

    def kept(self, name: str, px: int) -> bytes | None:
        """One that was made before; its picture need not be there now. name: the picture's id."""
        try:
            return None if self._folder is None else self._file(self._folder, name, px).read_bytes()
        except OSError:
            return None

    def make(self, name: str, px: int, path: Path) -> bytes:
        """A JPEG of the picture at a path. Raises UnreadableImage."""
        made = small(path, px)
        if self._folder is not None:
            _write(self._file(self._folder, name, px), made)
            with self._lock:
                self._written += len(made)
                due = self._written > limits.THUMBNAIL_CACHE_SLACK * self._most
                if due:
                    self._written = 0
            if due:
                self._prune_behind()
        return made

    def _prune_behind(self) -> None:
        threading.Thread(target=self._prune, name="seesay-thumbnails", daemon=True).start()

    @staticmethod
    def _file(folder: Path, name: str, px: int) -> Path:
        return folder / name[:2] / f"{name}-{px}-{READER}.jpg"

    def _prune(self) -> None:
        """Takes the oldest away until a tenth less than the most is left."""
        try:
            assert self._folder is not None
            files = sorted(((stat := file.stat()).st_mtime, stat.st_size, file) for file in self._folder.glob("*/*.jpg"))
            total = sum(size for _, size, _ in files)
            if total <= self._most:
                return
            for _, size, file in files:
                file.unlink(missing_ok=True)
                total -= size
                if total <= (1 - limits.THUMBNAIL_CACHE_SLACK) * self._most:
                    return
        except OSError:
            return  # another process does the same


def small(path: Path, px: int) -> bytes:
    """Raises UnreadableImage."""
    return thumbnail_jpeg(path, px, name=path.name, progressive=px > max(limits.THUMBNAIL_PX))


def _write(file: Path, data: bytes) -> None:
    """Whole or not at all; a full or read-only disk costs only the keeping."""
    with suppress(OSError):
        write_atomically(file, data)
