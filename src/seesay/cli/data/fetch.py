"""`seesay data fetch`: downloads the pictures of a list of URLs into tar shards."""

from collections.abc import Iterator
from contextlib import contextmanager
from gettext import gettext as _
from pathlib import Path
from typing import TYPE_CHECKING

import click

from seesay.cli.options import json_option, record
from seesay.cli.output import echo_json
from seesay.cli.progress import progress_bar

if TYPE_CHECKING:
    from seesay.training.curation.download import Download, Watch

SHOWN = 10


settings_options = record(  # handed on to img2dataset
    "settings",
    dict,
    (
        click.option(
            "--px", default=256, show_default=True, type=click.IntRange(min=16), help="Shorter side of larger pictures."
        ),
        click.option("--processes", default=1, show_default=True, type=click.IntRange(min=1), help="Processes, one a core."),
        click.option("--threads", default=32, show_default=True, type=click.IntRange(min=1), help="Downloads at a time."),
        click.option(
            "--pairs-a-shard", default=10_000, show_default=True, type=click.IntRange(min=1), help="URLs of a tar file."
        ),
        click.option("--timeout-s", default=10, show_default=True, type=click.IntRange(min=1), help="Seconds for an answer."),
        click.option("--retries", default=0, show_default=True, type=click.IntRange(min=0), help="Further tries of a URL."),
    ),
)


@click.command()
@click.argument("urls", metavar="URLS", type=click.Path(path_type=Path))
@click.argument("output", metavar="OUT", type=click.Path(path_type=Path))
@click.option("--url-column", metavar="NAME", help="Column of the URLs. Default: url.")
@click.option("--text-column", metavar="NAME", help="Column of the captions. Default: text or caption.")
@click.option(
    "--img2dataset", "program", metavar="PATH", type=click.Path(path_type=Path), help="Where img2dataset is installed."
)
@settings_options
@json_option
def fetch(
    urls: Path,
    output: Path,
    url_column: str | None,
    text_column: str | None,
    program: Path | None,
    settings: dict[str, int],
    as_json: bool,
) -> int:
    """Download the pictures of a list of URLs, with their captions, into tar shards that seesay train reads.

    URLS is a table (.parquet, .tsv, .csv, .jsonl) with a column of URLs and one of captions; the folder OUT gets the shards.
    img2dataset does the work, in an environment of its own (docs/data.md). A run that was killed goes on where it was. Exit
    code 1 if some pictures could not be fetched.
    """
    from seesay.training.curation.download import Options, columns, count_rows, download, find_program

    url, text = columns(urls, url_column, text_column)
    found = find_program(program)
    with _progress(count_rows(urls), quiet=as_json) as watch:
        done = download(urls, output, found, Options(url, text, **settings), watch=watch)
    if as_json:
        echo_json(
            {
                "folder": str(done.folder),
                "shards": done.shards,
                "rows": done.rows,
                "fetched": done.fetched,
                "reasons": dict(done.reasons),
            }
        )
    else:
        _print(done)
    return 2 if not done.fetched else 1 if done.fetched < done.rows else 0


@contextmanager
def _progress(total: int | None, *, quiet: bool) -> "Iterator[Watch | None]":
    """A bar of the URLs that were tried, shard by shard."""
    with progress_bar(_("Fetching pictures"), quiet=quiet, first=_("Fetching pictures")) as show:
        yield None if show is None else lambda rows, fetched: show(rows, total or rows)


def _print(done: "Download") -> None:
    click.echo(
        _("{fetched:,} of {rows:,} pictures in {shards} shards in {folder}").format(
            fetched=done.fetched, rows=done.rows, shards=done.shards, folder=done.folder
        )
    )
    for reason, count in list(done.reasons.items())[:SHOWN]:
        click.echo(f"  {count:>8,}  {reason}")
    if done.fetched:
        click.echo(_("Check them: seesay data check '{folder}/*.tar'").format(folder=done.folder))
