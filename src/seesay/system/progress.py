"""Progress of long work: the callables that report it, and log lines where there is no terminal."""

import math
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from gettext import gettext as _
from gettext import ngettext

EVERY_S = 10.0  # between two lines of a log
SURE_S = 2.0  # of work, until how long all of it takes can be told

Progress = Callable[[int, int], None]  # (done, total)
NamedProgress = Callable[[str, int, int], None]  # (kind of work, done, total), for work of several kinds


def progress_lines(what: str | Callable[[], str]) -> Progress:
    """Prints a line with rate and time left on stderr, at most one in EVERY_S. what: the work, or a callable that names it."""
    start: tuple[float, int] | None = None  # time and count of the first call, which may resume earlier work
    last = time.monotonic()

    def show(done: int, total: int) -> None:
        nonlocal start, last
        now = time.monotonic()
        start = start or (now, done)
        if now - last < EVERY_S or not 0 < done < total:
            return
        last = now
        rate = (done - start[1]) / (now - start[0]) if now > start[0] else 0.0
        remaining = _(", {rate:.3g}/s, {rate2} left").format(rate=rate, rate2=_minutes((total - done) / rate)) if rate else ""
        name = what if isinstance(what, str) else what()
        line = _("seesay: {what}: {done:,} of {total:,}{left}").format(what=name, done=done, total=total, left=remaining)
        print(line, file=sys.stderr, flush=True)

    return show


def estimate_line(progress: Progress) -> Progress:
    """Says once, on stderr, how long all takes, after two steps and SURE_S; and hands on to `progress`."""
    start: tuple[float, int] | None = None
    said = False

    def show(done: int, total: int) -> None:
        nonlocal start, said
        now = time.monotonic()
        start = start or (now, done)
        steps, seconds = done - start[1], now - start[0]
        if not said and steps >= 2 and seconds >= SURE_S and done < total:
            said = True
            print(_("seesay: {left} left").format(left=about((total - done) * seconds / steps)), file=sys.stderr, flush=True)
        progress(done, total)

    return show


def about(seconds: float) -> str:
    """A time in words: "about 4 minutes"."""
    if seconds < 55:
        count = max(5, 5 * math.ceil(seconds / 5))
        return ngettext("about {count} second", "about {count} seconds", count).format(count=count)
    if seconds < 5400:
        count = max(1, round(seconds / 60))
        return ngettext("about {count} minute", "about {count} minutes", count).format(count=count)
    count = round(seconds / 3600)
    return ngettext("about {count} hour", "about {count} hours", count).format(count=count)


@contextmanager
def waiting_lines(what: str) -> Iterator[None]:
    """Prints a line on stderr every EVERY_S during a block whose progress is unknown."""
    done = threading.Event()

    def show() -> None:
        while not done.wait(EVERY_S):
            print(f"seesay: {what} ...", file=sys.stderr, flush=True)

    thread = threading.Thread(target=show, name="seesay-waiting", daemon=True)
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
