"""How far work is, for logs: a line now and then."""

import math
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from gettext import gettext as _

EVERY_S = 10.0  # between lines where there is no terminal

Progress = Callable[[int, int], None]  # called with how much is done, and how much there is to do


def progress_lines(what: str) -> Progress:
    """Where there is no terminal: a line on stderr whenever EVERY_S have passed, with rate and time left."""
    began: tuple[float, int] | None = None
    last = time.monotonic()

    def show(done: int, total: int) -> None:
        nonlocal began, last
        now = time.monotonic()
        began = began or (now, done)
        if now - last < EVERY_S or not 0 < done < total:
            return
        last = now
        rate = (done - began[1]) / (now - began[0]) if now > began[0] else 0.0
        left = _(", {rate:.3g}/s, {rate2} left").format(rate=rate, rate2=_minutes((total - done) / rate)) if rate else ""
        line = _("seesay: {what}: {done:,} of {total:,}{left}").format(what=what, done=done, total=total, left=left)
        print(line, file=sys.stderr, flush=True)

    return show


@contextmanager
def still(what: str) -> Iterator[None]:
    """The same for work that cannot tell how far it is."""
    done = threading.Event()

    def tell() -> None:
        while not done.wait(EVERY_S):
            print(f"seesay: {what} ...", file=sys.stderr, flush=True)

    thread = threading.Thread(target=tell, name="seesay-still", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _minutes(seconds: float) -> str:
    hours, minutes = divmod(math.ceil(seconds / 60), 60)
    return (
        _("{hours} h {minutes} min").format(hours=hours, minutes=minutes)
        if hours
        else _("{minutes} min").format(minutes=minutes)
    )
