"""Thumbnails of the library's images: made when first requested, cached on disk, the oldest evicted first."""

import threading
from contextlib import suppress
from pathlib import Path

from seesay.images.decoding.formats import READER
from seesay.images.thumbnail import thumbnail_jpeg
from seesay.serving import limits
from seesay.system.files import write_atomically


class Thumbnails:
    """A cache of JPEG files in `folder`; None caches nothing. most_bytes: its size.

    An image's id is a hash of its content, so a cached thumbnail is outdated only by another version of the reader.
    """

    def __init__(self, folder: Path | None, most_bytes: int = limits.THUMBNAIL_CACHE_BYTES) -> None:
        self._folder = folder
        self._most = most_bytes
        self._written = 0  # bytes since the cache was last measured
        self._lock = threading.Lock()
        if folder is not None:
            self._start_eviction()

    def cached(self, name: str, px: int) -> bytes | None:
        """A cached thumbnail; its image need not exist any more. name: the image's id."""
        try:
            return None if self._folder is None else self._file(self._folder, name, px).read_bytes()
        except OSError:
            return None

    def make(self, name: str, px: int, path: Path) -> bytes:
        """Makes the JPEG of the image at a path, and caches it. Raises UnreadableImage."""
        jpeg = scaled_jpeg(path, px)
        if self._folder is not None:
            _write(self._file(self._folder, name, px), jpeg)
            with self._lock:
                self._written += len(jpeg)
                due = self._written > limits.THUMBNAIL_CACHE_SLACK * self._most
                if due:
                    self._written = 0
            if due:
                self._start_eviction()
        return jpeg

    def _start_eviction(self) -> None:
        threading.Thread(target=self._evict, name="seesay-thumbnails", daemon=True).start()

    @staticmethod
    def _file(folder: Path, name: str, px: int) -> Path:
        return folder / name[:2] / f"{name}-{px}-{READER}.jpg"

    def _evict(self) -> None:
        """Deletes the oldest files of a cache that is too large, until it is THUMBNAIL_CACHE_SLACK below its limit."""
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
            return  # another process is evicting, too


def scaled_jpeg(path: Path, px: int) -> bytes:
    """The image at a path as a JPEG whose longer side is at most `px`. Raises UnreadableImage."""
    return thumbnail_jpeg(path, px, name=path.name, progressive=px > max(limits.THUMBNAIL_PX))


def _write(file: Path, data: bytes) -> None:
    """Writes atomically. A full or read-only disk costs only the caching."""
    with suppress(OSError):
        write_atomically(file, data)
