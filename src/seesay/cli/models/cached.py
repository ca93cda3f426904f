"""`seesay models cached` and `seesay models remove`: the models in this machine's caches, and their removal."""

import os
from gettext import gettext as _
from typing import TYPE_CHECKING

import click

from seesay.cli.options import json_option
from seesay.cli.output import echo_json, short

if TYPE_CHECKING:
    from seesay.checkpoints.hub.inventory import CacheEntry


@click.command()
@json_option
def cached(as_json: bool) -> int:
    """List the models that are kept on this machine and what they take: fetched ones, checkpoints prepared for fast starts."""
    from seesay.checkpoints.hub import inventory

    _echo(inventory.cache_entries(), as_json, _("in all"))
    return 0


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@json_option
def remove(names: tuple[str, ...], as_json: bool) -> int:
    """Remove models from this machine's caches, by their names there (seesay models cached).

    What is needed again is fetched and prepared again. A repository's files lie in the hub's cache, which other programs share.
    """
    from seesay.checkpoints.hub import inventory

    _echo(inventory.remove(*names), as_json, _("removed"))
    return 0


def _echo(models: "list[CacheEntry]", as_json: bool, total: str) -> None:
    """Prints each model with its size, and the sum behind the word `total`."""
    megabytes = sum(model.size_bytes for model in models) / 1e6
    if as_json:
        rows = [
            {
                "name": model.names[0],
                "kind": model.kind,
                "path": os.fspath(model.path),
                "megabytes": round(model.size_bytes / 1e6, 1),
            }
            for model in models
        ]
        echo_json({"models": rows, "megabytes": round(megabytes, 1)})
        return
    for model in models:
        click.echo(f"{model.names[0]:62} {model.size_bytes / 1e6:8.1f} MB  {model.kind:10}  {short(os.fspath(model.path))}")
    click.echo(f"{total:62} {megabytes:8.1f} MB")
