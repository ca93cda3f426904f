"""`seesay models`: lists, describes, chooses, fetches, verifies, inspects, converts, blends, removes models; a file each."""

import click

from seesay.cli.commands import Commands
from seesay.cli.models import architectures, blend, choose, convert, info, inspect, listing, pull, remove, verify


@click.group(cls=Commands)
def models() -> None:
    """List, choose and fetch models, show what they are, look into checkpoints and convert them."""


for command in (
    inspect.inspect,
    convert.convert,
    blend.blend,
    listing.list_models,
    info.info,
    pull.pull,
    verify.verify,
    remove.remove,
    architectures.architectures,
    choose.choose,
):
    models.add_command(command)
