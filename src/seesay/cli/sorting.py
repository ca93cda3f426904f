"""Sorts the pictures of `seesay classify` into folders by label, and says what it did."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from gettext import gettext as _
from gettext import ngettext

import click

from seesay.cli.options import record
from seesay.cli.output import echo_error, echo_note, short
from seesay.cli.predictions import Prediction
from seesay.errors import InputError
from seesay.library.indexing.report import Failure
from seesay.library.sorting import Placement, make_folder, place, placements, remove_links, stale_links
from seesay.system.paths import is_url

SHOWN_PICTURES = 5  # of each folder


@dataclass(frozen=True)
class Sorting:
    """Where pictures are sorted to, if they are. copy: by copies and not by links. dry_run: only says what it would do."""

    into: str | None
    copy: bool
    dry_run: bool


def _sorting(sort_into: str | None, copy: bool, dry_run: bool) -> Sorting:
    if sort_into is None and (copy or dry_run):
        raise click.UsageError(_("--copy and --dry-run belong to --sort-into FOLDER."))
    return Sorting(sort_into, copy, dry_run)


sorting_options = record(
    "sorting",
    _sorting,
    (
        click.option(
            "--sort-into",
            metavar="FOLDER",
            type=click.Path(),
            help="Link each picture from a folder per label in it; those that nothing fits from unknown. Moves nothing; links "
            "of an earlier run to the same pictures are removed where these belong elsewhere now.",
        ),
        click.option("--copy", is_flag=True, help="With --sort-into: copies instead of links."),
        click.option("--dry-run", is_flag=True, help="With --sort-into: only say what it would do."),
    ),
)


def sort(
    results: Sequence[Prediction], labels: Sequence[str], sorting: Sorting, roots: Iterable[str], *, quiet: bool
) -> tuple[dict[str, object], list[Failure]]:
    """Makes the links or copies, unless it is a dry run. Returns what was done, for JSON, and what could not be made.

    labels: all there are. roots: the folders that the pictures come from. quiet: prints nothing. Raises InputError.
    """
    assert sorting.into is not None
    files = [each for each in results if not is_url(each.path)]
    if len(files) < len(results):
        echo_note(_("pictures at URLs are not sorted"))
    labelled = [(each.path, label) for each in files for label in (each.fitting or (None,))]
    planned = placements(labelled, labels, sorting.into, roots)
    stale = stale_links(planned, sorting.into)
    done, failed = (planned, []) if sorting.dry_run else _carry_out(planned, sorting)
    if not sorting.dry_run:
        remove_links(stale)
    if not quiet:
        _echo(done, stale, dry_run=sorting.dry_run)
    listed = [{"path": each.source, "to": each.target, "there": each.there} for each in done]
    return {"into": os.path.abspath(sorting.into), "dry_run": sorting.dry_run, "files": listed, "removed": stale}, failed


def _carry_out(planned: Sequence[Placement], sorting: Sorting) -> tuple[list[Placement], list[Failure]]:
    """A file that cannot be made fails alone; the folder itself must be writable."""
    assert sorting.into is not None
    make_folder(sorting.into)
    done, failed = [], []
    for each in planned:
        try:
            place(each, "copy" if sorting.copy else "link")
            done.append(each)
        except InputError as fault:
            failed.append(Failure(each.source, str(fault)))
    return done, failed


def _echo(done: Sequence[Placement], stale: Sequence[str], *, dry_run: bool) -> None:
    for label in sorted({each.label for each in done}, key=lambda label: (label is None, label)):
        inside = [each for each in done if each.label == label]
        folder = inside[0].folder
        there = sum(each.there for each in inside)
        counts = _("{folder}: {new} new, {there} there already").format(folder=folder, new=len(inside) - there, there=there)
        click.echo(click.style(counts, bold=True))
        for each in inside[:SHOWN_PICTURES]:
            click.echo(f"  {short(each.source)}")
        if len(inside) > SHOWN_PICTURES:
            click.echo(_("  ... and {count} more").format(count=len(inside) - SHOWN_PICTURES))
    if stale:
        links = ngettext(
            "{count} link of an earlier run, to a picture that has another place now",
            "{count} links of earlier runs, to pictures that have another place now",
            len(stale),
        ).format(count=len(stale))
        click.echo(_("to be removed: {links}").format(links=links) if dry_run else _("removed: {links}").format(links=links))
    if dry_run:
        echo_error(_("nothing was made; without --dry-run it will be"))
