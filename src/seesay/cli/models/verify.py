"""`seesay models verify`: compares fetched files with their hashes."""

import os
from gettext import gettext as _

import click

from seesay.cli.options import json_option
from seesay.cli.output import echo_error, echo_json, short


@click.command()
@click.argument("name", required=False)
@json_option
def verify(name: str | None, as_json: bool) -> int:
    """Compare the fetched files of a model, or of all, with the hashes that they are pinned to; needs no connection.

    Exit code 1 if a file is damaged: seesay models pull NAME fetches it again.
    """
    from seesay.checkpoints.hub import verification

    files = []
    for one in verification.verify(name):
        files.append(one)
        if not as_json:
            state = {"sound": _("sound"), "damaged": _("damaged"), "unknown": _("no hash known")}[one.state]
            click.echo(f"{one.name:62} {state:14}  {one.file}")
    damaged = [one for one in files if one.state == "damaged"]
    if as_json:
        rows = [{"name": one.name, "file": one.file, "path": os.fspath(one.path), "state": one.state} for one in files]
        echo_json({"files": rows, "damaged": len(damaged)})
    for one in damaged:
        echo_error(
            _("{file} is damaged. Fetch it again: seesay models pull {name}").format(
                file=short(os.fspath(one.path)), name=one.name
            )
        )
    if not files:
        click.echo(_("nothing was fetched yet"), err=True)
    return 1 if damaged else 0
