"""`seesay`: the group of commands, each loaded when it is called, and the one place where errors become messages.

Exit codes: 0 fine; 1 some inputs failed (the rest was done), or a search found nothing; 2 wrong use, or nothing could be done;
130 stopped by Ctrl-C.
"""

import importlib
import os
import sys
import warnings
from gettext import gettext as _

import click

from seesay._version import __version__
from seesay.cli import language
from seesay.cli.commands import Commands
from seesay.cli.language import helped
from seesay.errors import SeeSayError, UnreadableImage
from seesay.system.paths import printable

COMMANDS = (
    "index",
    "search",
    "tag",
    "duplicates",
    "map",
    "serve",
    "classify",
    "similarity",
    "embed",
    "forget",
    "train",
    "eval",
    "models",
    "doctor",
)


class LazyGroup(Commands):
    """Imports a command's module when it is needed: a search must not pay for the others."""

    def list_commands(self, context: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command = getattr(importlib.import_module(f"seesay.cli.{cmd_name}"), cmd_name)
        assert isinstance(command, click.Command)
        return helped(command)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="seesay")
def seesay() -> None:
    """One space for pictures and words: search your photos by what they show, offline.

    \b
      seesay index ~/Pictures
      seesay search "a dog on grass"
      seesay classify photo.jpg --labels "cat,dog,owl"
    """


def main() -> None:
    """Entry point of the console script."""
    warnings.showwarning = _show_warning
    warnings.filterwarnings("ignore", module="PIL")  # damaged EXIF and the like: what matters is reported per file
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a terminal without UTF-8 must not end a search
    sys.exit(_run())


def _run() -> int:
    """Runs the command that sys.argv says, and flushes what it printed; the exit code."""
    language.choose()
    code = _told()
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _drop_output()
    except OSError as error:
        _drop_output()
        click.echo(
            _("seesay: cannot write the output: {error}").format(error=language.told(error.strerror or str(error))), err=True
        )
        return 2
    return code


def _told() -> int:
    try:
        code = helped(seesay).main(standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.ctx.get_help() if error.ctx else "", err=True)
        return 2
    except click.ClickException as error:
        error.show()
        return 2
    except (click.Abort, KeyboardInterrupt):
        click.echo(_("seesay: stopped"), err=True)
        return 130
    except SeeSayError as error:
        click.echo(f"seesay: {language.told(str(error))}", err=True)
        return 1 if isinstance(error, UnreadableImage) else 2
    except BrokenPipeError:  # the reader of our output (head, less) has seen enough
        _drop_output()
        return 0
    except OSError as error:  # the system's, of whatever was read or written: a full disk, no permission
        where = f"{printable(error.filename)}: " if isinstance(error.filename, str) else ""
        click.echo(f"seesay: {where}{language.told(error.strerror or str(error))}", err=True)
        return 2
    return code if isinstance(code, int) else 0


def _drop_output() -> None:
    """What stdout still holds cannot be written; Python would try again at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _show_warning(message: Warning | str, *rest: object, **more: object) -> None:
    click.echo(_("seesay: note: {message}").format(message=language.told(str(message))), err=True)
