"""How much memory decoded pictures may take at one time, in all threads of this process together."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from PIL import Image

PIECE = 64 * 2**20  # bytes that Pillow takes at once for a large picture
BYTES_PER_PIXEL = 16  # of a picture and of the copies made on its way to RGB, at their most


class Budget:
    """bytes: of all that hold some at once. One that is larger than all of it goes alone."""

    def __init__(self, bytes: int) -> None:
        self.bytes = bytes
        self.reset()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self.reset)  # what other threads hold there is nobody's here

    def reset(self) -> None:
        self.taken = 0
        self._free = threading.Condition()

    @contextmanager
    def holding(self, bytes: int) -> Iterator[None]:
        """Waits until there is room. Whoever holds some must not ask for more."""
        with self._free:
            while self.taken and self.taken + bytes > self.bytes:
                self._free.wait()
            self.taken += bytes
        try:
            yield
        finally:
            with self._free:
                self.taken -= bytes
                self._free.notify_all()


DECODED = Budget(2**30)


def give_back_large_pictures() -> None:
    """For a process that goes on for long. Pieces of over 32 MB go back to the system when they are freed; Pillow's own of 16
    MB stay with the C library where there are several threads (486 MB after a request of 64 large pictures, and 158 so)."""
    Image.core.set_block_size(PIECE)  # type: ignore[attr-defined]  # as Pillow's documentation has it
