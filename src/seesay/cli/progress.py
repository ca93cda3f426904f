"""Progress on stderr: bars on a terminal, a line now and then in a log, nothing for scripts."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from gettext import gettext as _
from typing import Any

from seesay.system.progress import NamedProgress, Progress, estimate_line, progress_lines, waiting_lines


@contextmanager
def working(what: str) -> Iterator[None]:
    """Names work of unknown length while the block runs: a spinner on a terminal, a line now and then in a log."""
    if sys.stderr.isatty():
        from rich.console import Console

        with Console(stderr=True).status(f"{what} ..."):
            yield
    else:
        with waiting_lines(what):
            yield


@contextmanager
def progress_bar(
    what: str | Callable[[], str], *, quiet: bool, first: str | None = None, estimated: bool = False
) -> Iterator[Progress | None]:
    """Yields a callable that shows (done, total) with rate and time left; None if `quiet`.

    what: the description of the work, or a callable that is asked for it each time, as where it holds a number.
    first: the description of the work before the total is known, "Looking for files" by default. estimated: in a log, whether
    the first steps are followed by a line that says how long all takes.
    """
    if quiet:
        yield None
        return
    if not sys.stderr.isatty():
        yield estimate_line(progress_lines(what)) if estimated else progress_lines(what)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TextColumn(_("left")),
        TimeRemainingColumn(),
    )
    with Bars(*columns, console=Console(stderr=True)) as bars:
        task = bars.add_task(first or _("Looking for files"), total=None, rate="")

        def show(done: int, total: int) -> None:
            speed = bars.tasks[0].speed
            description = what if isinstance(what, str) else what()
            bars.update(
                task,
                description=description,
                completed=done,
                total=total,
                rate=f"{speed:.{0 if speed >= 10 else 1}f}/s" if speed else "",
            )

        yield show


@contextmanager
def named_progress(*, quiet: bool) -> Iterator[NamedProgress | None]:
    """A bar on stderr for each kind of work, for people; in a log a line now and then; nothing for scripts."""
    if quiet:
        yield None
        return
    if not sys.stderr.isatty():
        lines = cache(progress_lines)
        yield lambda what, done, total: lines(what)(done, total)
        return
    from rich.console import Console
    from rich.progress import Progress as Bars

    with Bars(console=Console(stderr=True), transient=True) as bars:
        tasks: dict[str, Any] = {}

        def show(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=total)
            bars.update(tasks[what], completed=done, total=total)

        yield show
