"""`seesay duplicates`: lists pictures that the library has more than once."""

from collections.abc import Sequence
from gettext import gettext as _
from gettext import ngettext
from typing import TYPE_CHECKING

import click

from seesay.cli.filters import filter_options, under_option
from seesay.cli.options import json_option, library_option, model_option, open_model, page_file
from seesay.cli.output import echo_error, echo_json, echo_paths, echo_wrote, short
from seesay.cli.progress import progress_bar

if TYPE_CHECKING:
    from seesay.library.duplicates import Copy, Group
    from seesay.library.search.filters import Filters

SHOWN_GROUPS = 20


@click.command()
@click.option("--exact", is_flag=True, help="Only files with the same bytes.")
@filter_options(under_option)
@click.option("--paths", "only_paths", is_flag=True, help="Print only the paths of those that need not be kept, one a line.")
@click.option(
    "--html", metavar="FILE", type=click.Path(), callback=page_file, help="Also write a page with the pictures, side by side."
)
@library_option
@model_option
@json_option
def duplicates(
    exact: bool,
    filters: "Filters",
    only_paths: bool,
    html: str | None,
    library: str | None,
    model: str | None,
    as_json: bool,
) -> int:
    """List pictures that the library has more than once: the same bytes, or resized, recompressed, turned, marked.

    Each group has a proposed keeper, the one with the most pixels. Nothing is deleted.
    """
    from seesay.library import Library

    if as_json and only_paths:
        raise click.UsageError(_("Give --json or --paths, not both."))
    with Library(library, open_model(model)) as opened, progress_bar(_("Comparing"), quiet=as_json) as progress:
        groups = opened.duplicates(filters=filters, exact=exact, progress=progress)
    if as_json:
        echo_json({"groups": [group.to_json() for group in groups]})
    elif only_paths:
        echo_paths(copy.path for group in groups for copy in group.others)
    else:
        _print(groups)
    if html:
        from seesay.render.gallery import DuplicatesSection, write_page

        echo_wrote(write_page(html, [DuplicatesSection(group) for group in groups], title="SeeSay: duplicates"))
    return 0


def _print(groups: "Sequence[Group]") -> None:
    for group in groups[:SHOWN_GROUPS]:
        click.echo(f"{click.style(_('keep'), bold=True)}  {_facts(group.keeper)}")
        for copy in group.others:
            click.echo(f"      {_facts(copy)}  ({_likeness(copy)})")
    if len(groups) > SHOWN_GROUPS:
        click.echo(
            _("... and {shown:,} more groups; --json lists all, --html shows them").format(shown=len(groups) - SHOWN_GROUPS),
            err=True,
        )
    _print_total(groups)


def _print_total(groups: "Sequence[Group]") -> None:
    others = [copy for group in groups for copy in group.others]
    if not others:
        echo_error(_("no picture is there twice"))
        return
    size = sum(copy.size for copy in others)
    count = ngettext("{count:,} file", "{count:,} files", len(others)).format(count=len(others))
    echo_error(
        _("{count} ({size:,.1f} MB) beside {groups:,} to keep; nothing was deleted").format(
            count=count, size=size / 1e6, groups=len(groups)
        )
    )


def _likeness(copy: "Copy") -> str:
    """How a copy resembles the picture to keep: in its bytes, or by perceptual hash and cosine."""
    if copy.identical:
        return _("same bytes")
    return _("{distance} of 64 bits, cosine {cosine:.2f}").format(distance=64 - copy.distance, cosine=copy.cosine)


def _facts(copy: "Copy") -> str:
    """Sides, size and path."""
    return f"{copy.width} x {copy.height}  {copy.size / 1e6:6.2f} MB  {short(copy.path)}"
