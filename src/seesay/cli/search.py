"""`seesay search`: pictures by words or by a picture; texts too."""

import os
import re
import sys
from dataclasses import replace
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

import click

from seesay.cli.output import as_options, bar, echo_json, json_option, library_option, model_option, short
from seesay.errors import InputError
from seesay.library.filters import ORIENTATIONS, Filters, Orientation
from seesay.paths import is_url, printable

if TYPE_CHECKING:
    from seesay.library.hits import Hit
    from seesay.library.ranking import Sort

SORTS = ("score", "newest", "oldest")


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


BOX = Box()


class Search(click.Command):
    """Takes `-people` and `- people` for queries, where click would look for an option -p."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        options = [param for param in self.params if isinstance(param, click.Option)]
        short = {name for param in options for name in param.opts if len(name) == 2} | {"-h"}
        valued = {name for param in options if not param.is_flag for name in param.opts}
        # A space makes it an argument, and means nothing to a query. What belongs to an option stays as it is.
        read = [f" {arg}" if before not in valued and _is_query(arg, short) else arg for before, arg in pairwise(["", *args])]
        return super().parse_args(ctx, read)


def _is_query(arg: str, short: set[str]) -> bool:
    """Whether it begins with a minus; of one letter alone, it is more likely a mistaken option."""
    return re.match(r"-[^-]{2}", arg) is not None and (arg[:2] not in short or arg[2].isalpha())


@click.command(cls=Search)
@click.argument("query", nargs=-1)
@click.option("--image", metavar="FILE|URL", type=click.Path(), help="Search with a picture, alone or beside words.")
@click.option("-n", "n", metavar="N", type=click.IntRange(min=1), default=10, show_default=True, help="How many to show.")
@click.option("--under", metavar="FOLDER", type=click.Path(), help="Only below this folder.")
@click.option("--after", metavar="DATE", help="Taken then or later: 2024, 2024-05, 2024-05-17.")
@click.option("--before", metavar="DATE", help="Taken then or earlier; the year, month or day said counts as a whole.")
@click.option("--camera", metavar="NAME", help="Taken with it; a part of its name.")
@click.option("--place", metavar="SOUTH,WEST,NORTH,EAST", type=BOX, help="Taken inside this box, in degrees.")
@click.option("--orientation", type=click.Choice(list(ORIENTATIONS)), help="Which side is longer.")
@click.option("--min-px", metavar="N", type=click.IntRange(min=1), help="Shorter side of at least so many pixels.")
@click.option("--tag", "tags", metavar="TAG", multiple=True, help="Tagged so (seesay tag); may be repeated.")
@click.option("--min-score", metavar="COSINE", type=click.FloatRange(-1, 1), help="Only what is at least so near.")
@click.option("--sort", type=click.Choice(SORTS), default="score", show_default=True, help="What comes first.")
@click.option("--behind", "cursor", metavar="CURSOR", help="Go on behind a hit: what --json tells as `next`.")
@click.option("--all", "everything", is_flag=True, help="Also what hardly has to do with the words.")
@click.option(
    "--in", "among", type=click.Choice(["pictures", "texts"]), default="pictures", show_default=True, help="What to search."
)
@click.option("--paths", "only_paths", is_flag=True, help="Print only paths, one a line, for pipes.")
@click.option("--html", metavar="FILE", type=click.Path(), help="Also write a page with the pictures found.")
@library_option
@model_option
@json_option
def search(
    query: tuple[str, ...],
    image: str | None,
    n: int,
    under: str | None,
    after: str | None,
    before: str | None,
    camera: str | None,
    place: tuple[float, float, float, float] | None,
    orientation: Orientation | None,
    min_px: int | None,
    tags: tuple[str, ...],
    min_score: float | None,
    sort: "Sort",
    cursor: str | None,
    everything: bool,
    among: Literal["pictures", "texts"],
    only_paths: bool,
    html: str | None,
    library: str | None,
    model: str | None,
    as_json: bool,
) -> int:
    """Search the library: QUERY says what the picture shows, such as "a dog on grass".

    Parts are added and taken away: 'beach + photo:pool.jpg - people'. Weights: '0.5*"oil painting"'. A hit of --json as a part:
    'like:ID'. Signs within words (t-shirt) and in quotation marks are letters like others.
    """
    from seesay.library import Library
    from seesay.model import load

    text = " ".join(query).strip()
    if image is None and not text.strip():
        raise click.UsageError('Say what to look for, such as: seesay search "a dog on grass", or use --image FILE.')
    if as_json and only_paths:
        raise click.UsageError("Give --json or --paths, not both.")
    with as_options():
        filters = Filters(under, after, before, camera, place, orientation, min_px, tags or None, min_score)
    with Library(library, load(model)) as opened:
        kind: Literal["image", "text"] = "text" if among == "texts" else "image"
        find = partial(opened.search, text if text.strip() else None, image=image, filters=filters, kind=kind)
        try:
            hits = find(n=n, sort=sort, cursor=cursor, relevant=not everything)
        except InputError as error:
            error.args = (str(error).replace(f"sort={sort!r}", f"--sort {sort}").replace("a min_score", "--min-score"),)
            raise
        held_back = not hits and not everything and cursor is None and bool(find(n=1))
        space, languages = opened.model.space_id, opened.model.config.languages
    if "zh" not in languages and any("\u2e80" <= letter <= "\u9fff" for letter in text):
        click.echo("seesay: note: this model was not made for Chinese; results may mean little", err=True)
    if as_json:
        asked = {} if not text.strip() else {"text": text}
        asked |= {} if image is None else {"image": image if is_url(image) else os.path.abspath(image)}
        more = {"next": hits[-1].cursor} if len(hits) == n else {}
        echo_json({"query": asked, "space_id": space, "results": [hit.to_json() for hit in hits], **more})
    elif only_paths:
        # Bytes, because a path need not be UTF-8, and a pipe wants exactly the file's name.
        sys.stdout.flush()
        sys.stdout.buffer.writelines(os.fsencode(hit.path) + b"\n" for hit in hits)
    else:
        _print(hits, dated=sort != "score")
    why = []
    if not hits:
        why = [f"nothing found{'' if held_back else _where(filters, among, behind=cursor is not None)}"]
    if held_back:
        why += [f"--all{'' if sort == 'score' else f' without --sort {sort}'} shows what comes nearest all the same"]
    for line in why:
        click.echo(f"seesay: {line}", err=True)
    if html:
        from seesay.gallery import Found, write_page

        page = write_page(html, [Found(text, hits, image, filters, "; ".join(why))], title=f"SeeSay: {text or image}")
        click.echo(f"wrote {short(str(page))}", err=True)
    return 0


def _where(filters: Filters, among: str, *, behind: bool) -> str:
    """What may be why nothing was found."""
    if behind:
        last = filters == Filters()
        return " behind that hit: it was the last one" if last else " behind that hit that passes these filters"
    if filters == Filters():
        return ""
    if filters == Filters(under=filters.under):
        return f" below {short(str(filters.under))}; is it indexed?"
    told = [name for name in ("after", "before", "camera", "place") if getattr(filters, name) is not None]
    if among == "texts" and replace(filters, under=None, min_score=None) != Filters():
        unknown = "; texts have no date, camera, place, size or tag, so no text passes filters by one of these"
    else:
        unknown = "; pictures that say nothing of their date, camera or place do not pass filters by it" if told else ""
    return f" that passes these filters{unknown}"


def _print(hits: "list[Hit]", *, dated: bool) -> None:
    for hit in hits:
        where = short(hit.path)
        line = f"{where}:{hit.line}  {printable(hit.text)}" if hit.text is not None else where
        notes = [f"{len(hit.copies)} more cop{'y' if len(hit.copies) == 1 else 'ies'}"] if hit.copies else []
        notes += [f"tagged {', '.join(hit.tags)}"] if hit.tags else []
        notes += [] if hit.available else ["not there now"]
        shown = f"{bar(hit.score)}" if hit.relevance is None else f"{bar(hit.relevance)} {hit.relevance:4.0%}"
        date = f"{(hit.taken_at or 'no date')[:10]:10}  " if dated else ""
        click.echo(f"{hit.score:6.3f}  {shown}  {date}{line}" + (f"  ({'; '.join(notes)})" if notes else ""))
