"""`Commands`: a group whose help lists every command with its whole first sentence."""

import re
from gettext import gettext as _

import click

from seesay.cli.language import with_translated_help


class Commands(click.Group):
    """A group of commands. Its help has whole sentences, where click would cut them to the terminal's width."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        command = super().get_command(ctx, cmd_name)
        return None if command is None else with_translated_help(command)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        commands = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        with formatter.section(_("Commands")):
            formatter.write_dl(
                [(name, _first_sentence(command.help or "")) for name, command in commands if command is not None]
            )


def _first_sentence(text: str) -> str:
    return re.split(r"(?<=\.)\s|(?<=。)|\n\n", text, maxsplit=1)[0].replace("\n", " ")
