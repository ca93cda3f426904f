"""The language of the command line: English, or Chinese from `cli/locale`, as the environment says.

Commands and click mark their messages for gettext. Errors are raised in English, whoever calls; their messages are translated
here, when they are shown, by matching them with forms such as "{0} is not UTF-8 text". `scripts/messages` collects messages and
forms for the catalogues.
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
ERROR = "error\x04"  # prefix of a catalogue's keys that have the context "error"
LONGEST = 2000  # characters; no message of ours is as long, and matching forms with many placeholders would take seconds
PLACEHOLDER = re.compile(r"\{\d+\}")


def install() -> None:
    """Sets gettext to our catalogues, in the language of $SEESAY_LANG, or else of the usual variables ($LANG, $LC_ALL)."""
    if language := os.environ.get("SEESAY_LANG"):
        os.environ["LANGUAGE"] = language.replace("-", "_")
    gettext.bindtextdomain(DOMAIN, str(FOLDER))
    gettext.textdomain(DOMAIN)


def language_code() -> str:
    """The language of messages: "zh" or "en"."""
    return "en" if (found := gettext.find(DOMAIN, str(FOLDER))) is None else Path(found).parts[-3][:2]


class WideFormatter(click.HelpFormatter):
    """Wraps lines for letters that are two columns wide, as Chinese ones are; click counts letters."""

    def __init__(self, indent_increment: int = 2, width: int | None = None, max_width: int | None = None) -> None:
        super().__init__(indent_increment, width, max_width)
        self.width = int(0.6 * self.width)


class WideContext(click.Context):
    """A context whose help is wrapped by `WideFormatter`."""

    formatter_class = WideFormatter


def with_translated_help(command: click.Command) -> click.Command:
    """A copy of a command with its help translated. A copy, because click caches the help of --help in the command."""
    translated = copy.copy(command)
    translated._help_option = None  # the copied cache, which may be in another language
    if gettext.find(DOMAIN, str(FOLDER)) is None:
        return translated
    translated.context_class = WideContext
    translated.help = gettext.gettext(inspect.cleandoc(command.help)) if command.help else command.help
    translated.params = [copy.copy(param) for param in command.params]
    for param in translated.params:
        if isinstance(param, click.Option) and param.help:
            param.help = gettext.gettext(param.help)
    return translated


def translate(message: str) -> str:
    """The translation of an error's message, or of a part of one; the message itself if no form matches."""
    catalogue = gettext.find(DOMAIN, str(FOLDER))
    if catalogue is None or len(message) > LONGEST:
        return message
    forms = _forms(catalogue)
    return _by_form(message, forms) or "\n".join(_line(line, forms) for line in message.split("\n"))


Forms = tuple[tuple[re.Pattern[str], str], ...]


@cache
def _forms(catalogue: str) -> Forms:
    """Pairs of a pattern that matches a form and the form's translation; forms with the most literal text first."""
    with open(catalogue, "rb") as stream:
        messages: dict[object, str] = gettext.GNUTranslations(stream)._catalog  # type: ignore[attr-defined]  # nothing public lists it
    forms = [
        (key.removeprefix(ERROR), text) for key, text in messages.items() if isinstance(key, str) and key.startswith(ERROR)
    ]
    forms.sort(key=lambda form: -len(PLACEHOLDER.sub("", form[0])))
    return tuple((re.compile("(.*?)".join(map(re.escape, PLACEHOLDER.split(form))), re.DOTALL), text) for form, text in forms)


def _by_form(message: str, forms: Forms) -> str | None:
    for form, text in forms:
        if match := form.fullmatch(message):
            return _fill(text, [_by_form(value, forms) or value for value in match.groups()])
    return None


def _fill(text: str, values: list[str]) -> str:
    return PLACEHOLDER.sub(lambda match: values[int(match[0][1:-1])], text)


def _line(line: str, forms: Forms) -> str:
    """One line of a message; after a prefix such as a file's name, the rest alone may match a form."""
    prefix, colon, reason = line.partition(": ")
    return _by_form(line, forms) or (prefix + colon + (_by_form(reason, forms) or reason))
