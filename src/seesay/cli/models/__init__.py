"""`seesay models`: lists, describes, chooses, inspects, converts and removes models; a file per command."""

import click

from seesay.cli.commands import Commands
from seesay.cli.models import architectures, cached, choose, convert, info, inspect, listing


@click.group(cls=Commands)
def models() -> None:
    """List models, show what they are, choose one, look into checkpoints and convert them."""


for command in (
    inspect.inspect,
    convert.convert,
    listing.list_models,
    info.info,
    cached.cached,
    cached.remove,
    architectures.architectures,
    choose.choose,
):
    models.add_command(command)
