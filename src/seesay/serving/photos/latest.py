"""What takes long to make of a library: made in the background, one at a time, and kept until the library changes."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Generic, TypeVar

from seesay.library import Library

T = TypeVar("T")


def version(library: Library) -> object:
    """It differs when pictures have come or gone. Raises NoLibrary."""
    with library.reading() as store:
        return store.last_vector_id(), tuple(sorted(store.count_files().items()))


@dataclass(frozen=True)
class _Made(Generic[T]):
    version: object
    result: T | None
    fault: Exception | None = None
    trace: TracebackType | None = None


class Stopped(Exception):
    """The server is shutting down."""


class Latest(Generic[T]):
    """make: of a name (a language, say), in a thread of its own; what it raises is raised to whoever asks."""

    def __init__(self, make: Callable[[str], T], thread: str) -> None:
        self._make, self._called = make, thread
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._made: dict[str, _Made[T]] = {}
        self._closing = False
        self.making = ""  # the name of the last that was begun

    def get(self, name: str, version: object) -> tuple[T | None, bool]:
        """The newest that there is of this name, None before the first; and whether one of this version is under way. Raises
        what making that one raised."""
        with self._lock:
            made = self._made.get(name)
            if made is not None and made.version == version:
                if made.fault is not None:
                    raise made.fault.with_traceback(made.trace)  # or it would grow with every time that it is raised
                return made.result, False
            if not self.busy:
                self.making = name
                self._thread = threading.Thread(target=self._work, args=(name, version), name=self._called, daemon=True)
                self._thread.start()
            return None if made is None else made.result, True

    @property
    def busy(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def close(self) -> None:
        """Ends when what is under way has ended, which is when it next calls `go_on`."""
        self._closing = True
        if self._thread is not None:
            self._thread.join()

    def go_on(self) -> None:
        """For what is being made, to call now and then. Raises Stopped once the server is shutting down."""
        if self._closing:
            raise Stopped

    def _work(self, name: str, version: object) -> None:
        try:
            made = _Made(version, self._make(name))
        except Exception as fault:
            made = _Made(version, None, fault, fault.__traceback__)
        with self._lock:
            self._made[name] = made
