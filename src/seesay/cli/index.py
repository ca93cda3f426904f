"""`seesay index`: bring folders into the library, or up to date."""

from typing import TYPE_CHECKING

import click

from seesay.cli.output import (
    SHOWN_FAILURES,
    echo_failures,
    echo_json,
    echo_skipped,
    failed_json,
    json_option,
    library_option,
    model_option,
    progress_bar,
    short,
)
from seesay.paths import printable

if TYPE_CHECKING:
    from seesay.library.report import IndexReport


@click.command()
@click.argument("paths", nargs=-1, metavar="[FOLDER|FILE]...", type=click.Path())
@library_option
@model_option
@json_option
def index(paths: tuple[str, ...], library: str | None, model: str | None, as_json: bool) -> int:
    """Index folders of pictures, so that they can be searched.

    Run it again at any time: only new and changed pictures are read. Without FOLDER it updates everything indexed before. A
    .tsv, .csv or .txt file is a list of texts, one item per line (see: seesay search --in texts).
    """
    from seesay.library import Library
    from seesay.model import load

    opened = Library(library, load(model))
    with opened, progress_bar("Indexing", quiet=as_json) as progress:
        report = opened.index(*paths, progress=progress)
    if as_json:
        echo_json(_json(report, str(opened.path)))
    else:
        _print(report, str(opened.path))
    return 1 if report.failed else 0


def _print(report: "IndexReport", library: str) -> None:
    counts = {
        "encoded": report.encoded,
        "known already (copies, renames)": report.reused,
        "read again after an update": report.reread,
        "unchanged": report.unchanged,
        "removed": report.removed,
        "texts": report.texts,
        "failed": len(report.failed),
    }
    said = ", ".join(f"{count} {name}" for name, count in counts.items() if count) or "no pictures found"
    rate = f" ({report.encoded / report.seconds:.0f} pictures/s)" if report.encoded > 50 else ""
    click.echo(f"{said} in {report.seconds:.1f} s{rate}. Library: {printable(library)}")
    echo_skipped(report.skipped)
    for noted in report.noted[:SHOWN_FAILURES]:
        click.echo(f"seesay: note: {short(noted.path)}: {noted.reason}", err=True)
    if (more := len(report.noted) - SHOWN_FAILURES) > 0:
        click.echo(f"seesay: note: ... and {more} more; --json lists all", err=True)
    for root in report.missing:
        where = short(root)
        click.echo(f"seesay: note: {where} is not there now; its index is kept. To drop it: seesay forget {where}", err=True)
    echo_failures(report.failed)


def _json(report: "IndexReport", library: str) -> dict[str, object]:
    return {
        "library": library,
        "encoded": report.encoded,
        "reused": report.reused,
        "reread": report.reread,
        "unchanged": report.unchanged,
        "removed": report.removed,
        "texts": report.texts,
        "failed": failed_json(report.failed),
        "noted": failed_json(report.noted),
        "missing": report.missing,
        "skipped": dict(report.skipped),
        "seconds": round(report.seconds, 3),
        "stages": report.stages,
    }
