"""What commands share in printing: JSON, failures, paths, options."""

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from seesay.library.report import Failure

from seesay.paths import is_url, printable

F = TypeVar("F", bound=Callable[..., Any])

SHOWN_FAILURES = 20


def library_option(command: F) -> F:
    return click.option(
        "--library",
        metavar="PATH",
        type=click.Path(),
        help="Folder of the library. Default: $SEESAY_LIBRARY, else your user data directory.",
    )(command)


def model_option(command: F) -> F:
    return click.option(
        "--model", metavar="NAME|PATH", help="Model to use: a name (seesay models list) or a path. Default: the bundled one."
    )(command)


def json_option(command: F) -> F:
    return click.option("--json", "as_json", is_flag=True, help="Print JSON (docs/cli.md), for scripts.")(command)


@contextmanager
def working(what: str) -> Iterator[None]:
    """Says on a terminal what takes a while."""
    from rich.console import Console

    terminal = sys.stderr.isatty()
    with Console(stderr=True, quiet=not terminal).status(f"{what} ...") if terminal else nullcontext():
        yield


@contextmanager
def progress_bar(what: str, *, quiet: bool, first: str = "Looking for files") -> "Iterator[Callable[[int, int], None] | None]":
    """A bar with rate and time left on stderr, for people; nothing for scripts. first: what is done before it can be told how
    far it is."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bars:
        task = bars.add_task(first, total=None, rate="")

        def show(done: int, total: int) -> None:
            speed = bars.tasks[0].speed
            bars.update(task, description=what, completed=done, total=total, rate=f"{speed:.0f}/s" if speed else "")

        yield show


def echo_skipped(counts: "Mapping[str, int]") -> None:
    """Files that look like pictures or videos and are not read, by kind, with what can be done about each."""
    from seesay.images.formats import ADVICE

    if counts:
        click.echo("seesay: note: passed over:", err=True)
    for kind, count in sorted(counts.items(), key=lambda each: (-each[1], each[0])):
        click.echo(f"  {_counted(count, kind)}: {ADVICE[kind]}", err=True)


def _counted(count: int, kind: str) -> str:
    """Such as "1 raw photo", "3 links to a folder"."""
    if count == 1:
        return f"1 {kind}"
    noun, space, rest = kind.partition(" to " if " to " in kind else " of " if " of " in kind else " beside ")
    return f"{count} {noun}s{space}{rest}"


def echo_json(value: object) -> None:
    """One JSON document. Names that are not UTF-8 come out as lone \\udcXX escapes, which json.loads gives back unharmed."""
    text = json.dumps(value, ensure_ascii=False, indent=2)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        text = json.dumps(value, ensure_ascii=True, indent=2)
    click.echo(text)


def echo_failures(failures: "Iterable[Failure]") -> None:
    """One line each on stderr; a long list is cut, with what to do to see it all."""
    failures = list(failures)
    for failure in failures[:SHOWN_FAILURES]:
        click.echo(f"seesay: {printable(failure.path)}: {failure.reason}", err=True)
    if len(failures) > SHOWN_FAILURES:
        click.echo(f"seesay: ... and {len(failures) - SHOWN_FAILURES} more; --json lists all", err=True)


def failed_json(failures: "Iterable[Failure]") -> list[dict[str, str]]:
    return [{"path": failure.path, "reason": failure.reason} for failure in failures]


def short(path: str) -> str:
    """A path as a person would write it here: relative where that is shorter. A URL stays as it is."""
    if is_url(path):
        return printable(path)
    try:
        relative = os.path.relpath(path)
    except ValueError:  # another drive
        relative = path
    return printable(relative if len(relative) < len(path) else path)


def bar(share: float, width: int = 10) -> str:
    """A bar of eighth blocks; `share` in 0..1."""
    eighths = round(min(max(share, 0.0), 1.0) * width * 8)
    full, rest = divmod(eighths, 8)
    return ("█" * full + (" ▏▎▍▌▋▊▉"[rest] if rest else "")).ljust(width)
