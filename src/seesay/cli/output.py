"""Printing that commands share: JSON documents, failures, notes, paths and bars."""

import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from gettext import gettext as _
from typing import TYPE_CHECKING

import click

from seesay.cli.language import translate
from seesay.system.paths import is_url, printable

if TYPE_CHECKING:
    from seesay.library.indexing.report import Failure

SHOWN_FAILURES = 20


def echo_error(message: str) -> None:
    """A line on stderr, after the program's name."""
    click.echo(f"seesay: {message}", err=True)


def echo_note(note: str) -> None:
    """A note on stderr about what was done otherwise than expected."""
    click.echo(_("seesay: note: {note}").format(note=note), err=True)


def refuse_input(output: str | os.PathLike[str] | None, *inputs: str) -> None:
    """Raises UsageError where a file that is to be written is one of those that are read."""
    if output is None or not os.path.exists(output):
        return
    if any(os.path.exists(each) and os.path.samefile(output, each) for each in inputs):
        message = _("{file} is the picture itself, and SeeSay writes over no picture; name another file to write.")
        raise click.UsageError(message.format(file=short(os.fspath(output))))


def echo_wrote(file: str | os.PathLike[str]) -> None:
    """Names a file that was written, on stderr, where it does not mix with results."""
    click.echo(_("wrote {file}").format(file=short(os.fspath(file))), err=True)


def echo_skipped(counts: "Mapping[str, int]") -> None:
    """Prints the counts of files of kinds that are not read, with advice for each kind."""
    from seesay.images.decoding.formats import ADVICE

    if counts:
        echo_note(_("passed over:"))
    for kind, count in sorted(counts.items(), key=lambda each: (-each[1], each[0])):
        click.echo(f"  {count} × {translate(kind)}: {translate(ADVICE[kind])}", err=True)


def echo_json(value: object) -> None:
    """Prints one JSON document. Names that are not UTF-8 become lone \\udcXX escapes, which json.loads reads back unchanged."""
    text = json.dumps(value, ensure_ascii=False, indent=2)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        text = json.dumps(value, ensure_ascii=True, indent=2)
    click.echo(text)


def echo_failures(failures: "Iterable[Failure]") -> None:
    """Prints a line per failure on stderr; a long list is cut, with a hint how to see it all."""
    failures = list(failures)
    for failure in failures[:SHOWN_FAILURES]:
        echo_error(f"{printable(failure.path)}: {translate(failure.reason)}")
    if len(failures) > SHOWN_FAILURES:
        echo_error(_("... and {count} more; --json lists all").format(count=len(failures) - SHOWN_FAILURES))


def echo_notes(notes: Sequence[tuple[str, str]]) -> None:
    """Prints a note on stderr for each path and what is to be said of it; a long list is cut as that of failures."""
    for path, said in notes[:SHOWN_FAILURES]:
        echo_note(_("{path}: {reason}").format(path=short(path), reason=translate(said)))
    if (more := len(notes) - SHOWN_FAILURES) > 0:
        echo_note(_("... and {count} more; --json lists all").format(count=more))


def echo_paths(paths: Iterable[str], *, end: bytes = b"\n") -> None:
    """Prints paths for a pipe, as bytes: a path need not be UTF-8, and a pipe needs exactly the file's name."""
    sys.stdout.flush()
    sys.stdout.buffer.writelines(os.fsencode(path) + end for path in paths)


def failures_json(failures: "Iterable[Failure]") -> list[dict[str, str]]:
    """The failures as `--json` prints them."""
    return [{"path": failure.path, "reason": failure.reason} for failure in failures]


def short(path: str) -> str:
    """A path for people: relative to the current folder if that is shorter. A URL stays as it is."""
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
