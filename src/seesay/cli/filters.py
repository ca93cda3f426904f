"""The options that narrow a search by what is known of a picture and not by what it shows."""

import functools
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import click

from seesay.cli.output import short
from seesay.errors import InputError
from seesay.library.filters import ORIENTATIONS, Filters
from seesay.paths import printable


class Box(click.ParamType):  # type: ignore[type-arg]  # no type arguments in older versions
    """Four numbers with commas between them."""

    name = "box"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[float, float, float, float]:
        try:
            south, west, north, east = (float(side) for side in value.split(","))
        except ValueError:
            self.fail(f"expected SOUTH,WEST,NORTH,EAST in degrees, such as 47.2,8.3,47.5,8.8, got {value}", param, ctx)
        return south, west, north, east


OPTIONS = (
    click.option("--under", metavar="FOLDER", type=click.Path(), help="Only below this folder."),
    click.option("--name", "names", metavar="NAME", multiple=True, help="A part of the file's or a folder's name."),
    click.option("--after", metavar="DATE", help="Taken then or later: 2024, 2024-05, 2024-05-17."),
    click.option("--before", metavar="DATE", help="Taken then or earlier; the whole of that year, month or day."),
    click.option("--camera", metavar="NAME", help="Taken with it; a part of its name."),
    click.option("--place", metavar="SOUTH,WEST,NORTH,EAST", type=Box(), help="Taken inside this box, in degrees."),
    click.option("--orientation", type=click.Choice(list(ORIENTATIONS)), help="Which side is longer."),
    click.option("--min-px", metavar="N", type=click.IntRange(min=1), help="Shorter side of at least so many pixels."),
    click.option("--tag", "tags", metavar="TAG", multiple=True, help="Tagged so (seesay tag); may be repeated."),
    click.option("--min-score", metavar="COSINE", type=click.FloatRange(-1, 1), help="Only what is at least so near."),
)


def filter_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the options to a command, which gets them as one argument `filters`."""

    @functools.wraps(command)
    def run(**given: Any) -> Any:
        said = {name: given.pop(name) for name in ("under", "after", "before", "camera", "place", "orientation", "min_px")}
        said |= {"min_score": given.pop("min_score"), "tag": given.pop("tags") or None, "name": given.pop("names") or None}
        with as_options():
            filters = Filters(**said)
        return command(filters=filters, **given)

    wrapped: Callable[..., Any] = run
    for option in reversed(OPTIONS):
        wrapped = option(wrapped)
    return wrapped


@contextmanager
def as_options() -> Iterator[None]:
    """Faults of arguments are told as those of the options with their names."""
    try:
        yield
    except InputError as fault:
        fault.args = (re.sub(r"^(\w+):", lambda found: f"--{found[1].replace('_', '-')}:", str(fault)),)
        raise


def described(filters: Filters) -> str:
    """Such as "below trips, tagged dog, 2024 or later", for a heading."""
    told = []
    if filters.under is not None:
        told.append(f"below {short(os.fspath(filters.under))}")
    told += [f"named {printable(name)}" for name in filters.names]
    told += [f"not named {printable(name)}" for name in filters.other_names]
    told += [f"tagged {printable(tag)}" for tag in filters.tags]
    told += [f"{filters.after} or later"] if filters.after else []
    told += [f"{filters.before} or earlier"] if filters.before else []
    told += [f"taken with {printable(filters.camera)}"] if filters.camera else []
    told += ["taken inside that box"] if filters.place else []
    told += [filters.orientation] if filters.orientation else []
    told += [f"at least {filters.min_px} pixels"] if filters.min_px else []
    told += [f"cosine at least {filters.min_score:g}"] if filters.min_score is not None else []
    return ", ".join(told)


def why_empty(filters: Filters, among: str, *, behind: bool, likely: bool) -> str:
    """What may be why nothing was found."""
    if behind:
        last = filters == Filters()
        return " behind that hit: it was the last one" if last else " behind that hit that passes these filters"
    if likely:
        return " that is likely to show it; without --likely the nearest are shown all the same"
    if filters == Filters():
        return f"; the library holds no {among}"
    if filters == Filters(under=filters.under):
        return f" below {short(os.fspath(filters.under or ''))}; is it indexed?"
    dated = [name for name in ("after", "before", "camera", "place") if getattr(filters, name) is not None]
    if among == "texts" and replace(filters, under=None, min_score=None, name=None, not_name=None) != Filters():
        unknown = "; texts have no date, camera, place, size or tag, so no text passes filters by one of these"
    else:
        unknown = "; pictures that say nothing of their date, camera or place do not pass filters by it" if dated else ""
    return f" that passes these filters{unknown}"
