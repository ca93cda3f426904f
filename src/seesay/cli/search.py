"""`seesay search`: finds pictures by words or by a picture, and texts too."""

import os
import re
from dataclasses import dataclass
from gettext import gettext as _
from gettext import ngettext
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

import click

from seesay.cli.filters import all_filter_options, describe, nothing_found
from seesay.cli.options import json_option, library_option, model_option, naming_options, open_model, page_file, record
from seesay.cli.output import bar, echo_error, echo_json, echo_note, echo_paths, echo_wrote, short
from seesay.library.search.filters import Filters
from seesay.system.chinese import is_chinese
from seesay.system.paths import is_url, printable

if TYPE_CHECKING:
    from seesay.library.search.ranking import Sort
    from seesay.library.search.result import Hit, SearchResult
    from seesay.library.search.search import Score

SORTS = ("score", "newest", "oldest")


class QueryCommand(click.Command):
    """A command whose argument may begin with a minus: `-people` is a query, where click would look for an option -p."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        options = [param for param in self.params if isinstance(param, click.Option)]
        letters = {name for param in options for name in param.opts if len(name) == 2} | {"-h"}
        with_value = {name for param in options if not param.is_flag for name in param.opts}
        # A leading space makes click read an argument, and means nothing to a query. An option's value stays as it is.
        spaced = [
            f" {arg}" if before not in with_value and _is_query(arg, letters) else arg for before, arg in pairwise(["", *args])
        ]
        return super().parse_args(ctx, spaced)


def _is_query(arg: str, letters: set[str]) -> bool:
    """True if it begins with a minus and a word; a single letter is more likely a mistaken option."""
    return re.match(r"-[^-]{2}", arg) is not None and (arg[:2] not in letters or arg[2].isalpha())


@dataclass(frozen=True)
class Request:
    """What is searched for, how many hits of it, and in which order. `cursor`: of the hit that they come after."""

    image: str | None
    n: int
    sort: "Sort"
    cursor: str | None
    likely: bool
    score: "Score"
    exact: bool
    among: Literal["pictures", "texts"]


@dataclass(frozen=True)
class View:
    """How hits are printed. `null`: paths end with a null character; `html`: a page that is also written."""

    scores: bool
    only_paths: bool
    null: bool
    html: str | None
    as_json: bool


request_options = record(
    "request",
    Request,
    (
        click.option("--image", metavar="FILE|URL", type=click.Path(), help="Search with a picture, alone or beside words."),
        click.option(
            "-n", "n", metavar="N", type=click.IntRange(min=1), default=10, show_default=True, help="How many to show."
        ),
        click.option("--sort", type=click.Choice(SORTS), default="score", show_default=True, help="What comes first."),
        click.option(
            "--behind", "cursor", metavar="CURSOR", help="Continue after a hit: the value of `next` in the output of --json."
        ),
        click.option("--likely", is_flag=True, help="Only what is likely to show it, which may be nothing."),
        click.option(
            "--score",
            type=click.Choice(["rank", "cosine"]),
            default="rank",
            show_default=True,
            help="Order by the corrected rank, or by the cosine alone.",
        ),
        click.option("--exact", is_flag=True, help="Compare with every picture, whichever index the library has."),
        click.option(
            "--in",
            "among",
            type=click.Choice(["pictures", "texts"]),
            default="pictures",
            show_default=True,
            help="What to search.",
        ),
    ),
)
view_options = record(
    "view",
    View,
    (
        click.option("--scores", is_flag=True, help="Show cosines, too."),
        click.option("--paths", "only_paths", is_flag=True, help="Print only paths, one a line, for pipes."),
        click.option("-0", "null", is_flag=True, help="With --paths: end each with a null character, for xargs -0."),
        click.option(
            "--html", metavar="FILE", type=click.Path(), callback=page_file, help="Also write a page with the pictures found."
        ),
        json_option,
    ),
)


@click.command(cls=QueryCommand)
@click.argument("query", nargs=-1)
@request_options
@all_filter_options
@library_option
@model_option
@view_options
def search(
    query: tuple[str, ...], request: Request, filters: Filters, library: str | None, model: str | None, view: View
) -> int:
    """Search the library: QUERY says what the picture shows, such as dog, or "a dog on grass".

    The nearest are always shown, with a line where they become less likely. Parts are added and taken away: 'beach +
    photo:pool.jpg - people'. Weights: '0.5*"oil painting"'. A hit of --json as a part: 'like:ID'. A part of a file's or
    folder's name, or a whole tag: 'name:IMG_2022'. Signs within words (t-shirt) and in quotation marks are letters like
    others. Without QUERY, filters or --sort newest show all that pass, by date."""
    from seesay.library import Library

    text = " ".join(query).strip()
    _check(text, request, filters, view)
    encoder = open_model(model).sharing()  # one search ends before threads that wait busily would pay
    if text:
        encoder.preload_text()  # its tower is opened while the database is
    with Library(library, encoder) as opened, naming_options():
        hits = opened.search(
            text or None,
            image=request.image,
            n=request.n,
            filters=filters,
            kind="text" if request.among == "texts" else "image",
            sort=request.sort,
            cursor=request.cursor,
            likely=request.likely,
            score=request.score,
            exact=request.exact,
        )
        space, languages = opened.model.space_id, opened.model.config.languages
    if "zh" not in languages and is_chinese(text):
        echo_note(_("this model was not made for Chinese; results may mean little"))
    if view.as_json:
        echo_json(_json(hits, text, request, space))
    elif view.only_paths:
        echo_paths((hit.path for hit in hits), end=b"\0" if view.null else b"\n")
    elif hits:
        click.echo(_heading(hits, text, request, filters))
        _print(hits, dated=request.sort != "score" or not (text or request.image), scores=view.scores)
        if hits.answered_by != "exact":
            echo_note(
                _("answered by the index {index}, which may miss a hit; --exact compares with every picture").format(
                    index=hits.answered_by
                )
            )
    why = "" if hits.why_empty is None else _("nothing found{likely}").format(likely=nothing_found(hits.why_empty))
    if why:
        echo_error(why)
    if view.html:
        _write_page(view.html, hits, text, request, filters, why)
    return 0 if hits else 1


def _check(text: str, request: Request, filters: Filters, view: View) -> None:
    """Raises UsageError for options that ask for nothing, or contradict each other."""
    if not text and request.image is None and filters == Filters() and request.sort == "score":
        raise click.UsageError(
            _(
                'Say what to look for, such as: seesay search "a dog on grass", or use --image FILE, a filter such '
                "as --tag TAG, or --sort newest."
            )
        )
    if view.as_json and view.only_paths:
        raise click.UsageError(_("Give --json or --paths, not both."))
    if view.null and not view.only_paths:
        raise click.UsageError(_("-0 belongs to --paths."))


def _json(hits: "SearchResult", text: str, request: Request, space: str) -> dict[str, object]:
    """The search and its hits as --json prints them; `next` is the cursor to continue behind, if there may be more."""
    query = {"text": text} if text else {}
    if request.image is not None:
        query["image"] = request.image if is_url(request.image) else os.path.abspath(request.image)
    document: dict[str, object] = {"query": query, "space_id": space, "index": hits.answered_by}
    document["results"] = [hit.to_json() for hit in hits]
    return document | ({"next": hits.next} if hits.next is not None else {})


def _write_page(file: str, hits: "SearchResult", text: str, request: Request, filters: Filters, why: str) -> None:
    from seesay.render.gallery import SearchSection, write_page

    title = f"SeeSay: {text or request.image or describe(filters)}"
    page = write_page(file, [SearchSection(text, hits, request.image, filters, why)], title=title)
    echo_wrote(page)


def _heading(hits: "SearchResult", text: str, request: Request, filters: Filters) -> str:
    """How many hits there are, of what, and in which order."""
    what = f'"{printable(text)}"' if text else ""
    if request.image is not None:
        image = short(request.image)
        what = _("{words} and {image}").format(words=what, image=image) if what else image
    narrowed = describe(filters)
    n = len(hits)
    count = ngettext("{n} text", "{n} texts", n) if request.among == "texts" else ngettext("{n} picture", "{n} pictures", n)
    count = count.format(n=n)
    if not what or hits[0].score is None:
        order = _("oldest first") if request.sort == "oldest" else _("newest first")
        narrowed = _(", ").join(filter(None, (_("for {what}").format(what=what) if what else "", narrowed)))
        return _("{found}{narrowed}, {order}:").format(found=count, narrowed=f" {narrowed}" if narrowed else "", order=order)
    where = f" ({narrowed})" if narrowed else ""
    if hits[0].likely is False:
        return _("Nothing here is likely to show {what}{where}; the nearest all the same:").format(what=what, where=where)
    orders = {"score": _("the nearest first"), "newest": _("the newest first"), "oldest": _("the oldest first")}
    return _("{found} for {what}{where}, {order}:").format(found=count, what=what, where=where, order=orders[request.sort])


def _print(hits: "SearchResult", *, dated: bool, scores: bool) -> None:
    """Prints a line per hit, and a line above the first that is less likely."""
    likely = hits[0].likely
    for hit in hits:
        if likely and hit.likely is False:
            click.echo(f"--- {_('less likely from here')} ---")
        likely = hit.likely
        click.echo(_line(hit, dated=dated, scores=scores))


def _line(hit: "Hit", *, dated: bool, scores: bool) -> str:
    """A hit with its relevance, or with its cosine if its relevance is unknown; its path, text and notes."""
    columns = []
    if hit.relevance is not None:
        columns += [f"{bar(hit.relevance)} {hit.relevance:4.0%}"]
    elif hit.score is not None:
        columns += [f"{bar(hit.score)} {hit.score:6.3f}"]
    if scores and hit.relevance is not None and hit.score is not None:
        columns += [f"{hit.score:6.3f}"]
    columns += [f"{(hit.taken_at or _('no date'))[:10]:10}"] if dated else []
    where = short(hit.path)
    columns += [f"{where}:{hit.line}  {printable(hit.text)}" if hit.text is not None else where]
    notes = [_("by its name")] if hit.named else []
    count = len(hit.copies)
    notes += [ngettext("{count} more copy", "{count} more copies", count).format(count=count)] if count else []
    notes += [_("tagged {tags}").format(tags=", ".join(hit.tags))] if hit.tags else []
    notes += [] if hit.available else [_("not there now")]
    return "  ".join(columns) + (f"  ({'; '.join(notes)})" if notes else "")
