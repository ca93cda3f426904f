"""`Indexing`: index runs in the background of the server, one at a time."""

import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from seesay.errors import AlreadyIndexing, LibraryError
from seesay.library import Library
from seesay.model import Model
from seesay.serving.errors import SERVER_FAULT, fault_of
from seesay.serving.log import event
from seesay.serving.photos.latest import Stopped
from seesay.serving.photos.photos import folders
from seesay.serving.schemas.answers import Fault, IndexingState, Last


@dataclass
class Indexing:
    """Index runs of the library at `path`. done, total: files of the present run. last: the report of the last one."""

    path: Path
    model: Model
    done: int = 0
    total: int = 0
    last: Last | None = None
    _thread: threading.Thread | None = None
    _stop: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def running(self) -> bool:
        """Whether a run is under way."""
        return self._thread is not None and self._thread.is_alive()

    def start(self, paths: Sequence[str] = ()) -> None:
        """Brings these folders, or all that were indexed before, up to date in a thread. Raises AlreadyIndexing."""
        with self._lock:
            if self.running:
                raise AlreadyIndexing("the folders are being looked through already")
            self.done = self.total = 0
            self._thread = threading.Thread(target=self._run, args=(tuple(paths),), name="seesay-index", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Stops a run that is under way; what it indexed so far is kept."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def state(self) -> IndexingState:
        """The present and the last run, for clients."""
        return IndexingState(running=self.running, done=self.done, total=self.total, last=self.last)

    def _run(self, paths: tuple[str, ...]) -> None:
        begin, last, fault = time.monotonic(), Last(finished_at="", seconds=0), None
        try:
            with Library(self.path, self.model) as library:
                report = library.index(*paths, progress=self._progress)
                names = folders(library)
            last.added, last.removed, last.failed = report.encoded + report.reused, report.removed, len(report.failed)
            last.missing = [names.name(root) for root in report.missing]
        except Stopped:
            last.error, last.code = "the server is shutting down", "shutting_down"
        except Exception as raised:  # a thread that dies in silence would leave the page waiting
            fault = raised
            shown = _fault(raised)
            last.error, last.code = shown.message, shown.code
        last.finished_at = datetime.now(UTC).isoformat(timespec="seconds")
        last.seconds = round(time.monotonic() - begin, 2)
        self.last = last
        counts = last.model_dump(include={"seconds", "added", "removed", "failed", "code"})
        event("indexed", logging.INFO if last.error is None else logging.WARNING, fault, **counts)

    def _progress(self, done: int, total: int) -> None:
        self.done, self.total = done, total
        if self._stop.is_set():
            raise Stopped  # what was indexed so far is kept


def _fault(fault: Exception) -> Fault:
    """The fault for clients: messages that are not about the library name paths of this machine."""
    return fault_of(fault) if isinstance(fault, LibraryError) else SERVER_FAULT
