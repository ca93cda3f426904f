"""The options that narrow a search by what is known of a picture: date, place, camera, tag, name, size, folder."""

import os
from dataclasses import replace
from gettext import gettext as _
from typing import TYPE_CHECKING, Any

import click

from seesay.cli.options import Option, naming_options, record
from seesay.cli.output import short
from seesay.library.search.filters import ORIENTATIONS, Filters
from seesay.system.paths import printable

if TYPE_CHECKING:
    from seesay.library.search.result import WhyEmpty


class Box(click.ParamType):  # type: ignore[type-arg]  # no type arguments in older versions
    """Four numbers with commas between them: south, west, north, east."""

    name = "box"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[float, float, float, float]:
        try:
            south, west, north, east = (float(side) for side in value.split(","))
        except ValueError:
            self.fail(
                _("expected SOUTH,WEST,NORTH,EAST in degrees, such as 47.2,8.3,47.5,8.8, got {value}").format(value=value),
                param,
                ctx,
            )
        return south, west, north, east


under_option = click.option("--under", metavar="FOLDER", type=click.Path(), help="Only below this folder.")
tag_option = click.option("--tag", "tag", metavar="TAG", multiple=True, help="Tagged so (seesay tag); may be repeated.")
after_option = click.option("--after", metavar="DATE", help="Taken then or later: 2024, 2024-05, 2024-05-17.")
before_option = click.option("--before", metavar="DATE", help="Taken then or earlier; the whole of that year, month or day.")


def filter_options(*options: Option) -> Option:
    """Adds filter options to a command, which gets them as one argument `filters`. Raises InputError that names the option."""
    return record("filters", _filters, options)


def _filters(**values: Any) -> Filters:
    with naming_options():
        return Filters(**{name: None if value == () else value for name, value in values.items()})


all_filter_options = filter_options(
    under_option,
    click.option("--name", metavar="NAME", multiple=True, help="A part of the file's or a folder's name, or a whole tag."),
    after_option,
    before_option,
    click.option("--camera", metavar="NAME", help="Taken with it; a part of its name."),
    click.option("--place", metavar="SOUTH,WEST,NORTH,EAST", type=Box(), help="Taken inside this box, in degrees."),
    click.option("--orientation", type=click.Choice(list(ORIENTATIONS)), help="Which side is longer."),
    click.option("--min-px", metavar="N", type=click.IntRange(min=1), help="Shorter side of at least so many pixels."),
    tag_option,
    click.option("--min-score", metavar="COSINE", type=click.FloatRange(-1, 1), help="Only what is at least so near."),
)


def describe(filters: Filters) -> str:
    """The filters for a heading, such as "below trips, tagged dog, 2024 or later"."""
    shapes = {"landscape": _("landscape"), "portrait": _("portrait"), "square": _("square")}
    under, score = filters.under, filters.min_score
    parts = [
        _("below {under}").format(under=short(os.fspath(under))) if under is not None else "",
        *(_("named {name}").format(name=printable(name)) for name in filters.names),
        *(_("not named {name}").format(name=printable(name)) for name in filters.other_names),
        *(_("tagged {tag}").format(tag=printable(tag)) for tag in filters.tags),
        _("{after} or later").format(after=filters.after) if filters.after else "",
        _("{before} or earlier").format(before=filters.before) if filters.before else "",
        _("taken with {camera}").format(camera=printable(filters.camera)) if filters.camera else "",
        _("taken inside that box") if filters.place else "",
        shapes[filters.orientation] if filters.orientation else "",
        _("at least {min_px} pixels").format(min_px=filters.min_px) if filters.min_px else "",
        _("cosine at least {min_score:g}").format(min_score=score) if score is not None else "",
    ]
    return _(", ").join(filter(None, parts))


def nothing_found(why: "WhyEmpty") -> str:
    """Why a search has no hits, to follow "nothing found"."""
    filters = why.filters
    if why.reason == "end":
        last = filters == Filters()
        return _(" behind that hit: it was the last one") if last else _(" behind that hit that passes these filters")
    if why.reason == "likely":
        return _(" that is likely to show it; without --likely the nearest are shown all the same")
    if why.reason == "library":
        return _("; the library holds no texts") if why.kind == "text" else _("; the library holds no pictures")
    if filters == Filters(under=filters.under) and not why.names:
        return _(" below {under}; is it indexed?").format(under=short(os.fspath(filters.under or "")))
    dated = [name for name in ("after", "before", "camera", "place") if getattr(filters, name) is not None]
    if why.kind == "text" and replace(filters, under=None, min_score=None, name=None, not_name=None) != Filters():
        unknown = _("; texts have no date, camera, place, size or tag, so no text passes filters by one of these")
    else:
        unknown = _("; pictures that say nothing of their date, camera or place do not pass filters by it") if dated else ""
    return _(" that passes these filters{unknown}").format(unknown=unknown)
