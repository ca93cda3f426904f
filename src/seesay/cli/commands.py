"""`Commands`: a group whose help lists every command with its whole first sentence."""

import difflib
import re
from gettext import gettext as _

import click

from seesay.cli.language import with_translated_help


class Commands(click.Group):
    """A group of commands. Its help has whole sentences, where click would cut them to the terminal's width."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        command = super().get_command(ctx, cmd_name)
        return None if command is None else with_translated_help(command)

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does it, with a suggestion for a name that is nearly one."""
        name = args[0]
        if not name.startswith("-") and not ctx.resilient_parsing and self.get_command(ctx, name) is None:
            message = _("No such command {name!r}.").format(name=name)
            if near := sorted(difflib.get_close_matches(name, self.list_commands(ctx))):
                message += " " + _("Near: {names}.").format(names=", ".join(near))
            ctx.fail(message)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        commands = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        with formatter.section(_("Commands")):
            formatter.write_dl(
                [(name, _first_sentence(command.help or "")) for name, command in commands if command is not None]
            )


def _first_sentence(text: str) -> str:
    return re.split(r"(?<=\.)\s|(?<=。)|\n\n", text, maxsplit=1)[0].replace("\n", " ")
