"""`seesay models remove`: removes models from this machine's caches."""

import click

from seesay.cli.models.local import echo_entries
from seesay.cli.options import json_option


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@json_option
def remove(names: tuple[str, ...], as_json: bool) -> int:
    """Remove models from this machine's caches, by any of their names (seesay models list --local).

    What is needed again is fetched and prepared again, as it is then: what its name was pinned to is forgotten. A repository's
    files lie in the hub's cache, which other programs share.
    """
    from seesay.checkpoints.hub import inventory

    echo_entries(inventory.remove(*names), as_json, is_removal=True)
    return 0
