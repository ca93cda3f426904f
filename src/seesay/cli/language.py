"""The language in which the command line speaks: English, or what `cli/locale` has, as the environment asks.

Commands mark what they print for gettext, and click does. Errors are raised in English, whoever calls; a message of one is
translated here, when it is shown, by the form that it was written in: "{0} is not UTF-8 text" with whatever stands for {0}.
`scripts/messages` collects all of them for the catalogues.
"""

import copy
import gettext
import inspect
import os
import re
from functools import cache
from pathlib import Path

import click

DOMAIN = "seesay"
FOLDER = Path(__file__).parent / "locale"
ERROR = "error\x04"  # how a catalogue keeps the context of forms
LONG = 2000  # letters; none of our messages is as long, and forms with many places would take seconds
PLACE = re.compile(r"\{\d+\}")


def choose() -> None:
    """From now on gettext is asked for ours: in $SEESAY_LANG, else the language that the environment says as usual."""
    if asked := os.environ.get("SEESAY_LANG"):
        os.environ["LANGUAGE"] = asked.replace("-", "_")
    gettext.bindtextdomain(DOMAIN, str(FOLDER))
    gettext.textdomain(DOMAIN)


class WideFormatter(click.HelpFormatter):
    """click counts letters; those of Chinese are two columns wide."""

    def __init__(self, indent_increment: int = 2, width: int | None = None, max_width: int | None = None) -> None:
        super().__init__(indent_increment, width, max_width)
        self.width = int(0.6 * self.width)


class WideContext(click.Context):
    formatter_class = WideFormatter


def helped(command: click.Command) -> click.Command:
    """A copy of a command with its help in the language; click keeps the text of --help in it, once that was asked for."""
    shown = copy.copy(command)
    if gettext.find(DOMAIN, str(FOLDER)) is None:
        return shown
    shown.context_class = WideContext
    shown.help = gettext.gettext(inspect.cleandoc(command.help)) if command.help else command.help
    shown.params = [copy.copy(param) for param in command.params]
    for param in shown.params:
        if isinstance(param, click.Option) and param.help:
            param.help = gettext.gettext(param.help)
    return shown


def told(message: str) -> str:
    """An error's message, or a part of one, in the language; as it is where no form fits."""
    catalogue = gettext.find(DOMAIN, str(FOLDER))
    if catalogue is None or len(message) > LONG:
        return message
    forms = _forms(catalogue)
    return _by_form(message, forms) or "\n".join(_line(line, forms) for line in message.split("\n"))


Forms = tuple[tuple[re.Pattern[str], str], ...]


@cache
def _forms(catalogue: str) -> Forms:
    """(what fits, the translation with its places), those of most letters first."""
    with open(catalogue, "rb") as stream:
        known: dict[object, str] = gettext.GNUTranslations(stream)._catalog  # type: ignore[attr-defined]  # nothing public lists it
    forms = [(key.removeprefix(ERROR), text) for key, text in known.items() if isinstance(key, str) and key.startswith(ERROR)]
    forms.sort(key=lambda form: -len(PLACE.sub("", form[0])))
    return tuple((re.compile("(.*?)".join(map(re.escape, PLACE.split(form))), re.DOTALL), text) for form, text in forms)


def _by_form(message: str, forms: Forms) -> str | None:
    for form, text in forms:
        if found := form.fullmatch(message):
            return _filled(text, [_by_form(each, forms) or each for each in found.groups()])
    return None


def _filled(text: str, inside: list[str]) -> str:
    return PLACE.sub(lambda place: inside[int(place[0][1:-1])], text)


def _line(line: str, forms: Forms) -> str:
    """Of several, or behind a file's name."""
    where, colon, reason = line.partition(": ")
    return _by_form(line, forms) or (where + colon + (_by_form(reason, forms) or reason))
