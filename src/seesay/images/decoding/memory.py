"""A memory budget for decoded pictures, shared by all threads of this process."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from PIL import Image

BLOCK = 64 * 2**20  # bytes that Pillow allocates at once for a large picture
BYTES_PER_PIXEL = 16  # peak of a picture and its copies on the way to RGB


class Budget:
    """At most `bytes` are reserved at one time. A larger reservation waits until it is the only one."""

    def __init__(self, bytes: int) -> None:
        self.bytes = bytes
        self.reset()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self.reset)  # the threads that reserved memory do not exist in the child

    def reset(self) -> None:
        """Drops all reservations."""
        self.reserved = 0
        self._free = threading.Condition()

    @contextmanager
    def reserve(self, bytes: int) -> Iterator[None]:
        """Waits until so many bytes are free and holds them during a block, which must not reserve more (deadlock)."""
        with self._free:
            while self.reserved and self.reserved + bytes > self.bytes:
                self._free.wait()
            self.reserved += bytes
        try:
            yield
        finally:
            with self._free:
                self.reserved -= bytes
                self._free.notify_all()


DECODING = Budget(2**30)


def allocate_large_blocks() -> None:
    """Lets a long-lived process return the memory of large pictures to the system.

    Blocks of over 32 MB are returned when they are freed; Pillow's default of 16 MB stays with the C library under several
    threads (after a request of 64 large pictures 486 MB, and 158 MB with this).
    """
    Image.core.set_block_size(BLOCK)  # type: ignore[attr-defined]  # as Pillow's documentation has it
