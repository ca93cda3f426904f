"""`seesay map`: the library as a map to walk about in."""

import os
from gettext import gettext as _
from pathlib import Path
from typing import TYPE_CHECKING

import click

from seesay.cli.filters import as_options
from seesay.cli.output import echo_json, json_option, library_option, model_option, open_model, progress_bar, short
from seesay.errors import InputError
from seesay.library.search.filters import Filters

if TYPE_CHECKING:
    from seesay.library.map import Map


@click.command()
@click.option(
    "-o", "files", metavar="FILE", multiple=True, type=click.Path(), help="A page (.html) or picture (.png); default: map.html."
)
@click.option("--word", "words", metavar="WORDS", multiple=True, help="Also show where this lies; may be repeated.")
@click.option("-n", "most", metavar="N", default=3000, show_default=True, help="Draw at most so many, evenly chosen.")
@click.option("--under", metavar="FOLDER", type=click.Path(), help="Only below this folder.")
@click.option("--tag", "tags", metavar="TAG", multiple=True, help="Tagged so (seesay tag); may be repeated.")
@click.option("--after", metavar="DATE", help="Taken then or later: 2024, 2024-05, 2024-05-17.")
@click.option("--before", metavar="DATE", help="Taken then or earlier.")
@click.option("--names", metavar="FILE", type=click.Path(), help="Names for groups, one a line, in place of the built-in ones.")
@library_option
@model_option
@json_option
def map(
    files: tuple[str, ...],
    words: tuple[str, ...],
    most: int,
    under: str | None,
    tags: tuple[str, ...],
    after: str | None,
    before: str | None,
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
    from seesay.render.map_page import write_map

    files = files or (() if as_json else ("map.html",))
    if wrong := [file for file in files if Path(file).suffix.lower() not in (".html", ".htm", ".png")]:
        raise click.UsageError(_("-o takes a file that ends in .html or .png, got {wrong}.").format(wrong=wrong[0]))
    if any(not word.strip() for word in words):
        raise click.UsageError(_("A --word is empty."))
    known = read_names(Path(names)) if names is not None else None
    with as_options():
        filters = Filters(under=under, tag=tags or None, after=after, before=before)
    laying = _("Laying out the map")
    with Library(library, open_model(model)) as opened, progress_bar(laying, quiet=as_json, first=laying) as progress:
        if under is not None and not opened.browse(filters=Filters(under=under)).ids:
            raise InputError(
                _("a map has at least 5 pictures, and there is none below {under}; is it indexed?").format(under=short(under))
            )
        drawn = opened.map(filters=filters, most=most, words=words, names=known, progress=progress)
    for file in files:
        with progress_bar(_("Drawing"), quiet=as_json, first=_("Drawing")) as progress:
            if Path(file).suffix.lower() == ".png":
                from seesay.render.map_figure import draw_map

                unknown = draw_map(Path(file), drawn, progress)
                if unknown:
                    _note_unknown(unknown)
            else:
                write_map(file, drawn, title="SeeSay: map", progress=progress)
        click.echo(_("wrote {file}").format(file=short(os.path.abspath(file))), err=True)
    if as_json:
        echo_json(drawn.to_json())
    else:
        _tell(drawn)
    return 0


def _tell(drawn: "Map") -> None:
    for group in drawn.groups:
        click.echo(f"{group.pictures:6,}  {group.text}")
    alone = sum(spot.group is None for spot in drawn.spots)
    if alone:
        click.echo(_("{alone:6,}  in no group").format(alone=alone))
    for word in drawn.absent:
        click.echo(_("seesay: note: nothing here has to do with {word!r}; it is not on the map").format(word=word), err=True)
    if drawn.left_out:
        total = drawn.left_out + len(drawn.spots)
        click.echo(
            _("seesay: drew {spots:,} of {total:,} pictures, evenly chosen; -n draws more").format(
                spots=len(drawn.spots), total=total
            ),
            err=True,
        )


def _note_unknown(letters: str) -> None:
    some = letters[:10] + ("..." if len(letters) > 10 else "")
    click.echo(
        _("seesay: note: no font of this system has {some}; the picture shows boxes for them").format(some=some), err=True
    )
