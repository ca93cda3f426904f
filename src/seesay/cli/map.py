"""`seesay map`: draws the library as a map, a page that zooms or a picture."""

import os
from gettext import gettext as _
from pathlib import Path
from typing import TYPE_CHECKING

import click

from seesay.cli.filters import after_option, before_option, filter_options, tag_option, under_option
from seesay.cli.options import json_option, library_option, model_option, open_model
from seesay.cli.output import echo_error, echo_json, echo_note, echo_wrote, short
from seesay.cli.progress import progress_bar
from seesay.errors import InputError
from seesay.library.search.filters import Filters

if TYPE_CHECKING:
    from seesay.library.map import Map

PAGES = (".html", ".htm")
PICTURE = ".png"


@click.command()
@click.option(
    "-o", "files", metavar="FILE", multiple=True, type=click.Path(), help="A page (.html) or picture (.png); default: map.html."
)
@click.option("--word", "words", metavar="WORDS", multiple=True, help="Also show where this lies; may be repeated.")
@click.option("-n", "most", metavar="N", default=3000, show_default=True, help="Draw at most so many, evenly chosen.")
@filter_options(under_option, tag_option, after_option, before_option)
@click.option("--names", metavar="FILE", type=click.Path(), help="Names for groups, one a line, in place of the built-in ones.")
@library_option
@model_option
@json_option
def map(
    files: tuple[str, ...],
    words: tuple[str, ...],
    most: int,
    filters: Filters,
    names: str | None,
    library: str | None,
    model: str | None,
    as_json: bool,
) -> int:
    """Draw the library as a map: pictures that show alike things lie together, and groups have names.

    Needs the extra map: pip install 'seesay[map]'.
    """
    from seesay.library import Library
    from seesay.library.map import read_names

    files = files or (() if as_json else ("map.html",))
    if wrong := [file for file in files if Path(file).suffix.lower() not in (*PAGES, PICTURE)]:
        raise click.UsageError(_("-o takes a file that ends in .html or .png, got {wrong}.").format(wrong=wrong[0]))
    if any(not word.strip() for word in words):
        raise click.UsageError(_("A --word is empty."))
    group_names = read_names(Path(names)) if names is not None else None
    laying = _("Laying out the map")
    with Library(library, open_model(model)) as opened, progress_bar(laying, quiet=as_json, first=laying) as progress:
        under = filters.under
        if under is not None and not opened.browse(filters=Filters(under=under)).ids:
            raise InputError(
                _("a map has at least 5 pictures, and there is none below {under}; is it indexed?").format(
                    under=short(os.fspath(under))
                )
            )
        layout = opened.map(filters=filters, most=most, words=words, names=group_names, progress=progress)
    for file in files:
        _write(file, layout, quiet=as_json)
        echo_wrote(os.path.abspath(file))
    if as_json:
        echo_json(layout.to_json())
    else:
        _print(layout)
    return 0


def _write(file: str, layout: "Map", *, quiet: bool) -> None:
    """Writes the map as a page or a picture, by the file's suffix."""
    with progress_bar(_("Drawing"), quiet=quiet, first=_("Drawing")) as progress:
        if Path(file).suffix.lower() != PICTURE:
            from seesay.render.map_page import write_map

            write_map(file, layout, title="SeeSay: map", progress=progress)
            return
        from seesay.render.map_figure import draw_map

        if missing := draw_map(Path(file), layout, progress):
            letters = missing[:10] + ("..." if len(missing) > 10 else "")
            echo_note(_("no font of this system has {letters}; the picture shows boxes for them").format(letters=letters))


def _print(layout: "Map") -> None:
    """Prints the groups by size; words that find nothing, and pictures left out, as notes on stderr."""
    for group in layout.groups:
        click.echo(f"{group.pictures:6,}  {group.text}")
    alone = sum(spot.group is None for spot in layout.spots)
    if alone:
        click.echo(_("{alone:6,}  in no group").format(alone=alone))
    for word in layout.absent:
        echo_note(_("nothing here has to do with {word!r}; it is not on the map").format(word=word))
    if layout.left_out:
        total = layout.left_out + len(layout.spots)
        echo_error(
            _("drew {spots:,} of {total:,} pictures, evenly chosen; -n draws more").format(spots=len(layout.spots), total=total)
        )
