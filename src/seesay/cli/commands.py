"""A group of commands as help lists it."""

import click

NEVER = 10_000  # letters at which a sentence would be cut


class Commands(click.Group):
    """Lists its commands each with its whole first sentence, where click would cut that to the terminal's width."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        commands = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl([(name, command.get_short_help_str(NEVER)) for name, command in commands if command is not None])
