"""Lines that native libraries write to stderr, redirected into the log.

libtiff and onnxruntime write there past Python, in the middle of a line of JSON or without a line break of their own.
"""

import faulthandler
import os
import sys
import threading
from collections.abc import Callable
from typing import TextIO

from seesay.serving import limits

STDERR = 2


class Diverted:
    """Redirects the process's stderr: a thread calls `on_line` with every line.

    `real` is the former stderr, for the log; `close` restores it. Python's faulthandler still writes crashes to the real one.
    """

    def __init__(self, on_line: Callable[[str], None]) -> None:
        sys.stderr.flush()
        self._on_line = on_line
        self.real: TextIO = os.fdopen(os.dup(STDERR), "w", buffering=1, encoding="utf-8", errors="backslashreplace")
        reading, writing = os.pipe()
        os.dup2(writing, STDERR)
        os.close(writing)
        faulthandler.enable(self.real)
        self._thread = threading.Thread(target=self._read, args=(reading,), name="seesay-stderr", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Restores stderr, and waits a moment for its last lines."""
        sys.stderr.flush()
        os.dup2(self.real.fileno(), STDERR)
        self._thread.join(limits.STDERR_CLOSE_S)  # a child of this process may hold the other end for longer

    def _read(self, reading: int) -> None:
        with os.fdopen(reading, "rb") as lines:
            while raw := lines.readline(limits.STDERR_LINE_BYTES):
                if text := raw.decode("utf-8", "backslashreplace").strip():
                    self._on_line(text)
