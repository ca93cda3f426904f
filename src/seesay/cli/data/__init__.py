"""`seesay data`: prepares pictures with captions for training; a file per command."""

import click

from seesay.cli.commands import Commands
from seesay.cli.data import check, curate, fetch, queries


@click.group(cls=Commands)
def data() -> None:
    """Prepare pictures with captions for training: choose, check and fetch them."""


for command in (queries.queries, curate.curate, check.check, fetch.fetch):
    data.add_command(command)
