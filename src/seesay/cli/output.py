"""What commands share in printing: JSON, failures, paths, options."""

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from gettext import gettext as _
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from seesay.library.indexing.report import Failure
    from seesay.model import Model

from seesay.cli.language import told
from seesay.system.paths import is_url, printable
from seesay.system.progress import Progress, progress_lines, waiting_lines

F = TypeVar("F", bound=Callable[..., Any])

SHOWN_FAILURES = 20
PREPROCESSING = "seesay.preprocessing"  # where the option's value is kept while a command runs


def library_option(command: F) -> F:
    return click.option(
        "--library",
        metavar="PATH",
        type=click.Path(),
        help="Folder of the library. Default: $SEESAY_LIBRARY, else your user data directory.",
    )(command)


def model_option(command: F) -> F:
    """--model, and what a checkpoint may not say of itself; `open_model` opens what they name."""
    return click.option(
        "--model", metavar="NAME|PATH", help="Model to use: a name (seesay models list) or a path. Default: the bundled one."
    )(preprocessing_option(command))


def preprocessing_option(command: F) -> F:
    return click.option(
        "--preprocessing",
        type=click.Choice(["openai", "chinese-clip"]),
        expose_value=False,
        callback=lambda context, _, value: context.meta.update({PREPROCESSING: value}),
        help="How the model's pictures are prepared, where its files do not say.",
    )(command)


def open_model(name: str | None) -> "Model":
    """The model that a command's --model and --preprocessing name. Raises ModelError, InputError."""
    from seesay.model import load

    said = click.get_current_context().meta.get(PREPROCESSING)
    return load(name, preprocessing=said) if said else load(name)


def json_option(command: F) -> F:
    return click.option("--json", "as_json", is_flag=True, help="Print JSON (docs/cli.md), for scripts.")(command)


@contextmanager
def working(what: str) -> Iterator[None]:
    """Says what takes a while: a spinner on a terminal, a line now and then in a log."""
    if sys.stderr.isatty():
        from rich.console import Console

        with Console(stderr=True).status(f"{what} ..."):
            yield
    else:
        with waiting_lines(what):
            yield


@contextmanager
def progress_bar(what: str, *, quiet: bool, first: str | None = None) -> "Iterator[Progress | None]":
    """A bar with rate and time left on stderr, for people; in a log a line now and then; nothing for scripts. first: what is
    done before it can be told how far it is."""
    if quiet:
        yield None
        return
    if not sys.stderr.isatty():
        yield progress_lines(what)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TextColumn(_("left")),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bars:
        task = bars.add_task(first or _("Looking for files"), total=None, rate="")

        def show(done: int, total: int) -> None:
            speed = bars.tasks[0].speed
            bars.update(task, description=what, completed=done, total=total, rate=f"{speed:.0f}/s" if speed else "")

        yield show


def echo_skipped(counts: "Mapping[str, int]") -> None:
    """Files that look like pictures or videos and are not read, by kind, with what can be done about each."""
    from seesay.images.decoding.formats import ADVICE

    if counts:
        click.echo(_("seesay: note: passed over:"), err=True)
    for kind, count in sorted(counts.items(), key=lambda each: (-each[1], each[0])):
        click.echo(f"  {count} × {told(kind)}: {told(ADVICE[kind])}", err=True)


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
        click.echo(f"seesay: {printable(failure.path)}: {told(failure.reason)}", err=True)
    if len(failures) > SHOWN_FAILURES:
        click.echo(
            _("seesay: ... and {shown_failures} more; --json lists all").format(shown_failures=len(failures) - SHOWN_FAILURES),
            err=True,
        )


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
