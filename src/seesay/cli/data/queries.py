"""`seesay data queries`: makes a list of queries from captions."""

from gettext import gettext as _
from pathlib import Path
from typing import TYPE_CHECKING

import click

from seesay.cli.options import json_option
from seesay.cli.output import echo_json, echo_note, echo_wrote, refuse_input
from seesay.cli.progress import progress_bar

if TYPE_CHECKING:
    from seesay.training.curation.query_list import QueryList


@click.command()
@click.argument("tables", nargs=-1, required=True, metavar="CAPTIONS...")
@click.option("-o", "--output", required=True, metavar="FILE.txt", type=click.Path(path_type=Path), help="The list to write.")
@click.option(
    "--names", multiple=True, metavar="FILE", type=click.Path(path_type=Path), help="Names that come first, one a line."
)
@click.option("--text-column", metavar="NAME", help="Column of the captions. Default: text or caption.")
@click.option(
    "--least",
    type=click.IntRange(min=1),
    metavar="NUMBER",
    help="Occurrences that a query needs. Default: 100, and fewer in collections under 100 million words.",
)
@click.option("--pmi", default=6.0, show_default=True, help="Bits by which two words must meet more often than by chance.")
@click.option("--most", default=500_000, show_default=True, type=click.IntRange(min=1), help="Queries at most.")
@click.option("--lower", is_flag=True, help="Everything in lower case, for: seesay data curate --ignore-case")
@json_option
def queries(
    tables: tuple[str, ...],
    output: Path,
    names: tuple[Path, ...],
    text_column: str | None,
    least: int | None,
    pmi: float,
    most: int,
    lower: bool,
    as_json: bool,
) -> int:
    """Make a list of queries from captions: frequent words, words that go together, and names from lists.

    CAPTIONS are tables (.parquet, .tsv, .csv, .jsonl) or patterns such as "part-*.parquet". English and Chinese. The list is
    for: seesay data curate
    """
    from seesay.system.files import write_atomically
    from seesay.training.curation.query_list import make_query_list
    from seesay.training.curation.tables import find_tables

    files = find_tables(tables)
    refuse_input(output, *map(str, (*files, *names)))
    with progress_bar(_("Counting words"), quiet=as_json, first=_("Counting words")) as progress:
        made = make_query_list(
            files, names=names, column=text_column, least=least, pmi=pmi, most=most, lower=lower, progress=progress
        )
    write_atomically(output, "".join(f"{query}\n" for query in made.queries))
    if as_json:
        echo_json(_json(made, output))
    else:
        _print(made)
        echo_wrote(output)
    return 0 if made.queries else 1


def _json(made: "QueryList", output: Path) -> dict[str, object]:
    return {
        "file": str(output),
        "queries": len(made.queries),
        "names": made.names,
        "words": made.words,
        "pairs": made.pairs,
        "chinese": made.chinese,
        "captions": made.captions,
        "least": made.least,
        "missing": made.missing,
    }


def _print(made: "QueryList") -> None:
    click.echo(
        _(
            "{queries:,} queries from {captions:,} captions: {names:,} names, {words:,} words, {pairs:,} pairs of words; "
            "{chinese:,} are Chinese. A word needed {least} occurrences."
        ).format(
            queries=len(made.queries),
            captions=made.captions,
            names=made.names,
            words=made.words,
            pairs=made.pairs,
            chinese=made.chinese,
            least=made.least,
        )
    )
    if made.missing >= made.least:
        echo_note(
            _("more words than are counted at a time: rare ones may be missing that occurred up to {missing:,} times").format(
                missing=made.missing
            )
        )
    if not made.queries:
        echo_note(_("no word is frequent enough; lower --least"))
