"""`seesay search`: pictures by words or by a picture; texts too."""

import os
import re
import sys
from gettext import gettext as _
from gettext import ngettext
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

import click

from seesay.cli.filters import as_options, described, filter_options, nothing_found
from seesay.cli.output import bar, echo_json, json_option, library_option, model_option, open_model, short
from seesay.library.search.filters import Filters
from seesay.system.chinese import is_chinese
from seesay.system.paths import is_url, printable

if TYPE_CHECKING:
    from seesay.library.search.ranking import Sort
    from seesay.library.search.result import SearchResult
    from seesay.library.search.search import Score

SORTS = ("score", "newest", "oldest")


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
@filter_options
@click.option("--sort", type=click.Choice(SORTS), default="score", show_default=True, help="What comes first.")
@click.option("--behind", "cursor", metavar="CURSOR", help="Go on behind a hit: what --json tells as `next`.")
@click.option("--likely", is_flag=True, help="Only what is likely to show it, which may be nothing.")
@click.option("--scores", is_flag=True, help="Show cosines, too.")
@click.option(
    "--score",
    type=click.Choice(["rank", "cosine"]),
    default="rank",
    show_default=True,
    help="Order by the corrected rank, or by the cosine alone.",
)
@click.option(
    "--in", "among", type=click.Choice(["pictures", "texts"]), default="pictures", show_default=True, help="What to search."
)
@click.option("--paths", "only_paths", is_flag=True, help="Print only paths, one a line, for pipes.")
@click.option("-0", "null", is_flag=True, help="With --paths: end each with a null character, for xargs -0.")
@click.option("--html", metavar="FILE", type=click.Path(), help="Also write a page with the pictures found.")
@library_option
@model_option
@json_option
def search(
    query: tuple[str, ...],
    image: str | None,
    n: int,
    filters: Filters,
    sort: "Sort",
    cursor: str | None,
    likely: bool,
    scores: bool,
    score: "Score",
    among: Literal["pictures", "texts"],
    only_paths: bool,
    null: bool,
    html: str | None,
    library: str | None,
    model: str | None,
    as_json: bool,
) -> int:
    """Search the library: QUERY says what the picture shows, such as dog, or "a dog on grass".

    The nearest are always shown, with a line where they become less likely. Parts are added and taken away: 'beach +
    photo:pool.jpg - people'. Weights: '0.5*"oil painting"'. A hit of --json as a part: 'like:ID'. A part of a file's or
    folder's name: 'name:IMG_2022'. Signs within words (t-shirt) and in quotation marks are letters like others. Without QUERY,
    filters or --sort newest show all that pass, by date."""
    from seesay.library import Library

    text = " ".join(query).strip()
    if not text and image is None and filters == Filters() and sort == "score":
        raise click.UsageError(
            _(
                'Say what to look for, such as: seesay search "a dog on grass", or use --image FILE, a filter such '
                "as --tag TAG, or --sort newest."
            )
        )
    if as_json and only_paths:
        raise click.UsageError(_("Give --json or --paths, not both."))
    if null and not only_paths:
        raise click.UsageError(_("-0 belongs to --paths."))
    loaded = open_model(model).sharing()  # one search ends before threads that wait busily would pay
    if text:
        loaded.preload_text()  # its tower is opened while the database is
    with Library(library, loaded) as opened, as_options():
        hits = opened.search(
            text or None,
            image=image,
            n=n,
            filters=filters,
            kind="text" if among == "texts" else "image",
            sort=sort,
            cursor=cursor,
            likely=likely,
            score=score,
        )
        space, languages = opened.model.space_id, opened.model.config.languages
    if "zh" not in languages and is_chinese(text):
        click.echo(_("seesay: note: this model was not made for Chinese; results may mean little"), err=True)
    if as_json:
        asked = {} if not text else {"text": text}
        asked |= {} if image is None else {"image": image if is_url(image) else os.path.abspath(image)}
        told = {"query": asked, "space_id": space, "results": [hit.to_json() for hit in hits]}
        echo_json(told | ({"next": hits.next} if hits.next is not None else {}))
    elif only_paths:
        # Bytes, because a path need not be UTF-8, and a pipe wants exactly the file's name.
        sys.stdout.flush()
        sys.stdout.buffer.writelines(os.fsencode(hit.path) + (b"\0" if null else b"\n") for hit in hits)
    elif hits:
        click.echo(_heading(hits, text, image, filters, among, sort))
        _print(hits, dated=sort != "score" or not (text or image), scores=scores)
    why = "" if hits.why_empty is None else _("nothing found{likely}").format(likely=nothing_found(hits.why_empty))
    if why:
        click.echo(f"seesay: {why}", err=True)
    if html:
        from seesay.render.gallery import SearchSection, write_page

        page = write_page(
            html, [SearchSection(text, hits, image, filters, why)], title=f"SeeSay: {text or image or described(filters)}"
        )
        click.echo(_("wrote {page}").format(page=short(str(page))), err=True)
    return 0 if hits else 1


def _heading(hits: "SearchResult", text: str, image: str | None, filters: Filters, among: str, sort: "Sort") -> str:
    what = f'"{printable(text)}"' if text else ""
    if image is not None:
        what = _("{words} and {image}").format(words=what, image=short(image)) if what else short(image)
    narrowed = described(filters)
    n = len(hits)
    found = ngettext("{n} text", "{n} texts", n) if among == "texts" else ngettext("{n} picture", "{n} pictures", n)
    found = found.format(n=n)
    if not what or hits[0].score is None:
        order = _("oldest first") if sort == "oldest" else _("newest first")
        narrowed = _(", ").join(filter(None, (_("for {what}").format(what=what) if what else "", narrowed)))
        return _("{found}{narrowed}, {order}:").format(found=found, narrowed=f" {narrowed}" if narrowed else "", order=order)
    where = f" ({narrowed})" if narrowed else ""
    if hits[0].likely is False:
        return _("Nothing here is likely to show {what}{where}; the nearest all the same:").format(what=what, where=where)
    orders = {"score": _("the nearest first"), "newest": _("the newest first"), "oldest": _("the oldest first")}
    return _("{found} for {what}{where}, {order}:").format(found=found, what=what, where=where, order=orders[sort])


def _print(hits: "SearchResult", *, dated: bool, scores: bool) -> None:
    """A hit a line, with one number: how sure it is, or where nothing tells, the cosine."""
    likely = hits[0].likely
    for hit in hits:
        if likely and hit.likely is False:
            click.echo(f"--- {_('less likely from here')} ---")
        likely = hit.likely
        where = short(hit.path)
        line = f"{where}:{hit.line}  {printable(hit.text)}" if hit.text is not None else where
        notes = [_("by its name")] if hit.named else []
        count = len(hit.copies)
        notes += [ngettext("{count} more copy", "{count} more copies", count).format(count=count)] if count else []
        notes += [_("tagged {tags}").format(tags=", ".join(hit.tags))] if hit.tags else []
        notes += [] if hit.available else [_("not there now")]
        columns = []
        if hit.relevance is not None:
            columns += [f"{bar(hit.relevance)} {hit.relevance:4.0%}"]
        elif hit.score is not None:
            columns += [f"{bar(hit.score)} {hit.score:6.3f}"]
        if scores and hit.relevance is not None and hit.score is not None:
            columns += [f"{hit.score:6.3f}"]
        columns += [f"{(hit.taken_at or _('no date'))[:10]:10}"] if dated else []
        click.echo("  ".join([*columns, line]) + (f"  ({'; '.join(notes)})" if notes else ""))
