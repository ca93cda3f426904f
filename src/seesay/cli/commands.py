"""A group of commands as help lists it."""

import re
from gettext import gettext as _

import click

from seesay.cli.language import helped


class Commands(click.Group):
    """Lists its commands each with its whole first sentence, where click would cut that to the terminal's width."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        command = super().get_command(ctx, cmd_name)
        return None if command is None else helped(command)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        commands = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        with formatter.section(_("Commands")):
            formatter.write_dl(
                [(name, _first_sentence(command.help or "")) for name, command in commands if command is not None]
            )


def _first_sentence(text: str) -> str:
    return re.split(r"(?<=\.)\s|(?<=。)|\n\n", text, maxsplit=1)[0].replace("\n", " ")
