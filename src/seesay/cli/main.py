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
from seesay.cli.language import translate, with_translated_help
from seesay.cli.output import echo_error, echo_note
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
    "learn",
    "identify",
    "names",
    "prompt",
    "caption",
    "segment",
    "detect",
    "explain",
    "condition",
    "tokens",
    "mix",
    "draw",
    "similarity",
    "embed",
    "library",
    "forget",
    "train",
    "finetune",
    "probe",
    "eval",
    "data",
    "plan",
    "models",
    "doctor",
)


class LazyGroup(Commands):
    """A group that imports the module of a command when it is called: a search must not pay for the others."""

    def list_commands(self, context: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command = getattr(importlib.import_module(f"seesay.cli.{cmd_name}"), cmd_name)
        assert isinstance(command, click.Command)
        return with_translated_help(command)


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
    warnings.filterwarnings("ignore", module="PIL")  # damaged EXIF and the like; damage that matters is reported per file
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a terminal without UTF-8 must not end a search
    sys.exit(_run())


def _run() -> int:
    """Runs the command in sys.argv and flushes its output. Returns the exit code."""
    language.install()
    code = _run_command()
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _drop_output()
    except OSError as error:
        _drop_output()
        echo_error(_("cannot write the output: {error}").format(error=translate(error.strerror or str(error))))
        return 2
    return code


def _run_command() -> int:
    """Runs the command, and turns errors into messages. Returns the exit code."""
    try:
        code = with_translated_help(seesay).main(standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.ctx.get_help() if error.ctx else "", err=True)
        return 2
    except click.ClickException as error:
        error.show()
        return 2
    except (click.Abort, KeyboardInterrupt):
        echo_error(_("stopped"))
        return 130
    except SeeSayError as error:
        echo_error(translate(str(error)))
        return 1 if isinstance(error, UnreadableImage) else 2
    except BrokenPipeError:  # the reader of our output (head, less) has ended
        _drop_output()
        return 0
    except OSError as error:  # the system's, such as a full disk or no permission
        where = f"{printable(error.filename)}: " if isinstance(error.filename, str) else ""
        echo_error(f"{where}{translate(error.strerror or str(error))}")
        return 2
    return code if isinstance(code, int) else 0


def _drop_output() -> None:
    """Discards the output that cannot be written; Python would try again when it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _show_warning(message: Warning | str, *rest: object, **more: object) -> None:
    echo_note(translate(str(message)))
