"""`seesay models pull`: fetches a model's files, so that they are there when they are needed."""

import os
from gettext import gettext as _
from typing import TYPE_CHECKING

import click

from seesay.cli.download import asked
from seesay.cli.models.facts import echo_pin
from seesay.cli.options import json_option
from seesay.cli.output import echo_json, short

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@click.argument("name")
@click.option("--update", is_flag=True, help="Take what the hub has now, and pin the name to that.")
@click.option("--yes", is_flag=True, help="Fetch more than 1 GB without asking.")
@json_option
def pull(name: str, update: bool, yes: bool, as_json: bool) -> int:
    """Fetch a model: NAME of the catalogue, or hf:OWNER/NAME[@REVISION][/FILE] on the hub. Every file's hash is checked.

    A name is pinned to what it stood for at its first use. If the hub has something else now, that is an error; --update takes
    the new version.
    """
    from seesay.checkpoints.hub.locate import find_source
    from seesay.checkpoints.hub.pull import pin_of
    from seesay.checkpoints.hub.pull import pull as fetch

    def call(download_gb: float) -> "Path":
        return fetch(name, update=update, download_gb=download_gb)

    path = asked(call, yes=yes)
    source, _entry = find_source(name)
    pinned = None if isinstance(source, os.PathLike) else pin_of(source)
    if as_json:
        echo_json({"name": name, "path": os.fspath(path), "pinned": pinned})
        return 0
    click.echo(_("{name} is at {path}").format(name=name, path=short(os.fspath(path))))
    echo_pin(pinned)
    return 0
