"""`seesay forget`: removes folders or files from the library."""

from gettext import gettext as _

import click

from seesay.cli.options import json_option, library_option
from seesay.cli.output import echo_error, echo_json, echo_note, short
from seesay.system.paths import absolute, below


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="FOLDER|FILE...", type=click.Path())
@click.option("--keep-out", is_flag=True, help="Also leave them out of later index runs of the folders they lie in.")
@library_option
@json_option
def forget(paths: tuple[str, ...], keep_out: bool, library: str | None, as_json: bool) -> int:
    """Remove folders or files, and their vectors, from the library. The files themselves are not touched."""
    from seesay.library import Library

    with Library(library) as opened:
        counts = {path: opened.forget(path, keep_out=keep_out) for path in paths}
        roots = [str(root["path"]) for root in opened.stats()["roots"]]
    if as_json:
        echo_json({"library": str(opened.path), "forgotten": sum(counts.values())})
    else:
        click.echo(_("{counts} files forgotten").format(counts=sum(counts.values())))
    for path, count in counts.items():
        _print_consequence(path, count, roots, keep_out)
    return 0 if keep_out or all(counts.values()) else 1


def _print_consequence(path: str, count: int, roots: list[str], keep_out: bool) -> None:
    """Says on stderr whether a forgotten path may come back, or that nothing was indexed there."""
    where = short(path)
    parent = next((root for root in roots if below(absolute(path), root)), None)
    if keep_out:
        echo_error(_("{where} is left out from now on; to take that back: seesay index {where}").format(where=where))
    elif not count:
        echo_error(_("{where}: nothing indexed there").format(where=where))
    elif parent:
        back = _("indexing that brings it back (seesay forget --keep-out prevents it)")
        echo_note(_("{where} lies in {parent}; {back}").format(where=where, parent=short(parent), back=back))
