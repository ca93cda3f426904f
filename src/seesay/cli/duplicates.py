"""`seesay duplicates`: which pictures are there more than once."""

import os
import sys
from collections.abc import Sequence
from gettext import gettext as _
from gettext import ngettext
from typing import TYPE_CHECKING

import click

from seesay.cli.output import echo_json, json_option, library_option, model_option, open_model, progress_bar, short
from seesay.library.search.filters import Filters

if TYPE_CHECKING:
    from seesay.library.duplicates import Copy, Group

SHOWN = 20


@click.command()
@click.option("--exact", is_flag=True, help="Only files with the same bytes.")
@click.option("--under", metavar="FOLDER", type=click.Path(), help="Only below this folder.")
@click.option("--paths", "only_paths", is_flag=True, help="Print only the paths of those that need not be kept, one a line.")
@click.option("--html", metavar="FILE", type=click.Path(), help="Also write a page with the pictures, side by side.")
@library_option
@model_option
@json_option
def duplicates(
    exact: bool,
    under: str | None,
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
        groups = opened.duplicates(filters=Filters(under=under), exact=exact, progress=progress)
    if as_json:
        echo_json({"groups": [group.to_json() for group in groups]})
    elif only_paths:
        sys.stdout.flush()
        sys.stdout.buffer.writelines(os.fsencode(copy.path) + b"\n" for group in groups for copy in group.others)
    else:
        _print(groups)
    if html:
        from seesay.render.gallery import DuplicatesSection, write_page

        page = write_page(html, [DuplicatesSection(group) for group in groups], title="SeeSay: duplicates")
        click.echo(_("wrote {page}").format(page=short(str(page))), err=True)
    return 0


def _print(groups: "Sequence[Group]") -> None:
    for group in groups[:SHOWN]:
        click.echo(f"{click.style(_('keep'), bold=True)}  {_facts(group.keeper)}")
        for copy in group.others:
            why = (
                _("same bytes")
                if copy.identical
                else _("{distance} of 64 bits, cosine {cosine:.2f}").format(distance=64 - copy.distance, cosine=copy.cosine)
            )
            click.echo(f"      {_facts(copy)}  ({why})")
    if len(groups) > SHOWN:
        click.echo(
            _("... and {shown:,} more groups; --json lists all, --html shows them").format(shown=len(groups) - SHOWN), err=True
        )
    others = [copy for group in groups for copy in group.others]
    if not others:
        click.echo(_("seesay: no picture is there twice"), err=True)
        return
    size = sum(copy.size for copy in others)
    count = ngettext("{count:,} file", "{count:,} files", len(others)).format(count=len(others))
    click.echo(
        _("seesay: {count} ({size:,.1f} MB) beside {groups:,} to keep; nothing was deleted").format(
            count=count, size=size / 1e6, groups=len(groups)
        ),
        err=True,
    )


def _facts(copy: "Copy") -> str:
    return f"{copy.width} x {copy.height}  {copy.size / 1e6:6.2f} MB  {short(copy.path)}"
