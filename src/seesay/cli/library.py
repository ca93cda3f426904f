"""`seesay library`: what is done to a library as a whole; so far `import`, which takes vectors that were made elsewhere."""

from gettext import gettext as _
from gettext import ngettext
from typing import TYPE_CHECKING

import click

from seesay.cli.commands import Commands
from seesay.cli.options import json_option, library_option, model_option, open_model
from seesay.cli.output import echo_failures, echo_json, echo_notes, failures_json
from seesay.cli.progress import progress_bar
from seesay.system.paths import printable

if TYPE_CHECKING:
    from seesay.library.embedding.intake import ImportReport


@click.group(cls=Commands)
def library() -> None:
    """Take vectors that were made elsewhere into the library."""


@library.command("import")
@click.argument("files", nargs=-1, required=True, metavar="PART.parquet...", type=click.Path())
@click.option(
    "--root", metavar="FOLDER", type=click.Path(), help="Where the pictures lie now, if not where they were embedded."
)
@click.option("--mixed", is_flag=True, help="Also take vectors of another model, side by side, or of another engine's build.")
@library_option
@model_option
@json_option
def import_vectors(
    files: tuple[str, ...], root: str | None, mixed: bool, library: str | None, model: str | None, as_json: bool
) -> int:
    """Take the vectors of seesay embed's .parquet files into the library, without encoding anything.

    Every picture is looked at on disk: one that has changed since, or is missing, is told and left out. Run it again at any
    time; seesay index then brings in the rest. --model names the model whose ranking is prepared, as seesay index does it.
    """
    from seesay.library import Library

    with Library(library, open_model(model)) as opened, progress_bar(_("Importing"), quiet=as_json) as progress:
        report = opened.import_vectors(*files, root=root, mixed=mixed, progress=progress)
    if as_json:
        echo_json(_json(report, str(opened.path)))
    else:
        _print(report, str(opened.path))
    return 1 if report.changed or report.missing or report.failed else 0


def _print(report: "ImportReport", library: str) -> None:
    counts = {
        _("pictures taken"): report.taken,
        _("there already"): report.known,
        ngettext("text", "texts", report.texts): report.texts,
        _("changed since"): len(report.changed),
        _("missing"): len(report.missing),
        _("failed"): len(report.failed),
        _("in no folder (URLs, archives, texts)"): report.outside,
    }
    parts = [_("{count} {what}").format(count=count, what=name) for name, count in counts.items() if count]
    click.echo(
        _("{summary} in {seconds:.1f} s. Library: {library}").format(
            summary=_(", ").join(parts) or _("no rows"), seconds=report.seconds, library=printable(library)
        )
    )
    for reason, paths in ((_("has changed since it was embedded"), report.changed), (_("is missing"), report.missing)):
        echo_notes([(path, reason) for path in paths])
    echo_failures(report.failed)


def _json(report: "ImportReport", library: str) -> dict[str, object]:
    return {
        "library": library,
        "taken": report.taken,
        "known": report.known,
        "texts": report.texts,
        "outside": report.outside,
        "changed": report.changed,
        "missing": report.missing,
        "failed": failures_json(report.failed),
        "seconds": round(report.seconds, 3),
    }
