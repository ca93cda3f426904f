"""The library brought up to date while the server runs, one run at a time."""

import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from seesay.errors import SeeSayError
from seesay.library import Library
from seesay.model import Model
from seesay.serving.log import event


class Running(SeeSayError):
    """It is at it already."""


class Stopped(Exception):
    """The server is shutting down; what was indexed so far is kept."""


@dataclass(frozen=True)
class Last:
    """What the last run did. error: why it ended early."""

    finished_at: str
    seconds: float
    added: int = 0
    removed: int = 0
    failed: int = 0
    error: str | None = None


@dataclass
class Indexing:
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
        return self._thread is not None and self._thread.is_alive()

    def start(self, paths: Sequence[str] = ()) -> None:
        """Brings these folders, or all that were indexed before, up to date in a thread. Raises Running."""
        with self._lock:
            if self.running:
                raise Running("the folders are being looked through already")
            self.done = self.total = 0
            self._thread = threading.Thread(target=self._run, args=(tuple(paths),), name="seesay-index", daemon=True)
            self._thread.start()

    def close(self) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def to_json(self) -> dict[str, Any]:
        last = None if self.last is None else asdict(self.last)
        return {"running": self.running, "done": self.done, "total": self.total, "last": last}

    def _run(self, paths: tuple[str, ...]) -> None:
        begin, counts, error = time.monotonic(), dict[str, int](), None
        try:
            with Library(self.path, self.model) as library:
                report = library.index(*paths, progress=self._progress)
            counts = {"added": report.encoded + report.reused, "removed": report.removed, "failed": len(report.failed)}
        except Stopped:
            error = "stopped"
        except Exception as fault:  # a thread that dies in silence would leave the page waiting
            error = str(fault) if isinstance(fault, SeeSayError) else f"{type(fault).__name__}: {fault}"
        seconds = round(time.monotonic() - begin, 2)
        self.last = Last(datetime.now(UTC).isoformat(timespec="seconds"), seconds, error=error, **counts)
        event("indexed", logging.INFO if error is None else logging.WARNING, seconds=seconds, error=error, **counts)

    def _progress(self, done: int, total: int) -> None:
        self.done, self.total = done, total
        if self._stop.is_set():
            raise Stopped
