"""`Latest`: slow results about a library, computed in the background and cached until it changes."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Generic, TypeVar

from seesay.library import Library

T = TypeVar("T")


def _version(library: Library) -> object:
    """A version of the library's contents: another one when pictures were added or removed. Raises NoLibrary."""
    with library.session() as session:
        return session.store.last_vector_id(), tuple(sorted(session.store.count_files().items()))


@dataclass(frozen=True)
class _Outcome(Generic[T]):
    version: object
    result: T | None
    fault: Exception | None = None
    trace: TracebackType | None = None


class Stopped(Exception):
    """The server is shutting down."""


class Latest(Generic[T]):
    """Results by name (a language, say).

    make: computes the result of a name; it runs in a thread of its own, and what it raises is raised by `get`.
    """

    def __init__(self, make: Callable[[str], T], thread: str) -> None:
        self._make, self._thread_name = make, thread
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._outcomes: dict[str, _Outcome[T]] = {}
        self._closing = False
        self.current = ""  # the name whose result was begun last

    def get(self, name: str, library: Library) -> tuple[T | None, bool]:
        """The newest result of a name, None before the first; and whether one of the library as it is now is being computed.

        Raises NoLibrary, and what computing it raised.
        """
        version = _version(library)
        with self._lock:
            outcome = self._outcomes.get(name)
            if outcome is not None and outcome.version == version:
                if outcome.fault is not None:
                    raise outcome.fault.with_traceback(outcome.trace)  # or the traceback would grow each time
                return outcome.result, False
            if not self.busy:
                self.current = name
                self._thread = threading.Thread(target=self._work, args=(name, version), name=self._thread_name, daemon=True)
                self._thread.start()
            return None if outcome is None else outcome.result, True

    @property
    def busy(self) -> bool:
        """Whether a result is being computed."""
        return self._thread is not None and self._thread.is_alive()

    def close(self) -> None:
        """Stops what is being computed at its next call of `check_stopped`, and waits for that."""
        self._closing = True
        if self._thread is not None:
            self._thread.join()

    def check_stopped(self) -> None:
        """To be called by `make` now and then. Raises Stopped once the server is shutting down."""
        if self._closing:
            raise Stopped

    def _work(self, name: str, version: object) -> None:
        try:
            outcome = _Outcome(version, self._make(name))
        except Exception as fault:
            outcome = _Outcome(version, None, fault, fault.__traceback__)
        with self._lock:
            self._outcomes[name] = outcome
