"""`seesay index`: adds folders to the library, or brings them up to date."""

from gettext import gettext as _
from gettext import ngettext
from typing import TYPE_CHECKING

import click

from seesay.cli.options import json_option, library_option, model_option, naming_options, open_model
from seesay.cli.output import echo_failures, echo_json, echo_note, echo_notes, echo_skipped, failures_json, short
from seesay.cli.progress import progress_bar
from seesay.system.paths import printable

INDEXES = ("exact", "usearch", "usearch-f16", "milvus")

if TYPE_CHECKING:
    from seesay.library.indexing.report import IndexReport


@click.command()
@click.argument("paths", nargs=-1, metavar="[FOLDER|FILE]...", type=click.Path())
@click.option("--exclude", metavar="FOLDER", multiple=True, type=click.Path(), help="Leave it out, now and later.")
@click.option("--regions", is_flag=True, help="Also see parts of each picture, for small things in it: seven times the work.")
@click.option(
    "--vectors",
    type=click.Choice(INDEXES),
    help="The index that searches use from now on: exact, or one for millions of pictures (docs/search-at-scale.md).",
)
@click.option(
    "--milvus",
    metavar="URL|FILE.db",
    help="With --vectors milvus: its server, or a path for Milvus Lite. Default: $SEESAY_MILVUS_URI.",
)
@library_option
@click.option("--strict", is_flag=True, help="Exit code 1 also for files that could not be read before, and are told no more.")
@model_option
@json_option
def index(
    paths: tuple[str, ...],
    exclude: tuple[str, ...],
    regions: bool,
    vectors: str | None,
    milvus: str | None,
    library: str | None,
    strict: bool,
    model: str | None,
    as_json: bool,
) -> int:
    """Index folders of pictures, so that they can be searched.

    Run it again at any time: only new and changed pictures are read. Without FOLDER it updates everything indexed before. A
    .tsv, .csv or .txt file is a list of texts, one item per line (see: seesay search --in texts). A file that cannot be read is
    told once; seesay doctor lists all. What --exclude leaves out comes back when it is named as FOLDER itself.
    """
    from seesay.library import Library
    from seesay.library.vectors.choice import VectorChoice

    if milvus is not None and vectors != "milvus":
        raise click.UsageError(_("--milvus belongs to --vectors milvus."))
    choice = None if vectors is None else VectorChoice.of(vectors, milvus)
    opened = Library(library, open_model(model))
    with opened, naming_options(), progress_bar(_("Indexing"), quiet=as_json) as progress:
        report = opened.index(*paths, exclude=exclude, regions=regions, vectors=choice, progress=progress)
    if as_json:
        echo_json(_json(report, str(opened.path)))
    else:
        _print(report, str(opened.path))
    return 1 if (report.failed if strict else report.new_failures) else 0


def _print(report: "IndexReport", library: str) -> None:
    """Prints the counts that are not zero; files with faults, kinds not read and missing folders as notes on stderr."""
    counts = {
        _("encoded"): report.encoded,
        _("known already (copies, renames)"): report.reused,
        _("read again after an update"): report.reread,
        _("unchanged"): report.unchanged,
        _("removed"): report.removed,
        ngettext("text", "texts", report.texts): report.texts,
        _("seen in parts"): report.regions,
        _("failed"): len(new := report.new_failures),
        _("failed before (seesay doctor lists them)"): len(report.failed) - len(new),
    }
    parts = [_("{count} {what}").format(count=count, what=name) for name, count in counts.items() if count]
    summary = _(", ").join(parts) or _("no pictures found")
    rate = _(" ({seconds:.0f} pictures/s)").format(seconds=report.encoded / report.seconds) if report.encoded > 50 else ""
    click.echo(
        _("{summary} in {seconds:.1f} s{rate}. Library: {library}").format(
            summary=summary, seconds=report.seconds, rate=rate, library=printable(library)
        )
    )
    echo_skipped(report.skipped)
    echo_notes([(noted.path, noted.reason) for noted in report.noted])
    for root in report.missing:
        where = short(root)
        echo_note(_("{where} is not there now; its index is kept. To drop it: seesay forget {where}").format(where=where))
    echo_failures(new)


def _json(report: "IndexReport", library: str) -> dict[str, object]:
    return {
        "library": library,
        "encoded": report.encoded,
        "reused": report.reused,
        "reread": report.reread,
        "unchanged": report.unchanged,
        "removed": report.removed,
        "texts": report.texts,
        "regions": report.regions,
        "failed": [{"path": failure.path, "reason": failure.reason, "known": failure.known} for failure in report.failed],
        "noted": failures_json(report.noted),
        "missing": report.missing,
        "skipped": dict(report.skipped),
        "seconds": round(report.seconds, 3),
        "stages": report.stages,
    }
