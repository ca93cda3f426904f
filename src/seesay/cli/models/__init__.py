"""`seesay models`: lists, describes, chooses, fetches, verifies, inspects, converts and removes models; a file per command."""

import click

from seesay.cli.commands import Commands
from seesay.cli.models import architectures, choose, convert, info, inspect, listing, pull, remove, verify


@click.group(cls=Commands)
def models() -> None:
    """List, choose and fetch models, show what they are, look into checkpoints and convert them."""


for command in (
    inspect.inspect,
    convert.convert,
    listing.list_models,
    info.info,
    pull.pull,
    verify.verify,
    remove.remove,
    architectures.architectures,
    choose.choose,
):
    models.add_command(command)
