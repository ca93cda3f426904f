"""Self-contained HTML pages from Jinja2 templates, with autoescape: values are text and never markup or template."""

import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from seesay.errors import InputError
from seesay.system.files import write_atomically
from seesay.system.paths import printable

if TYPE_CHECKING:
    from jinja2 import Environment


def write_page(file: str | Path, template: str, what: str, **values: object) -> Path:
    """Fills a template of `templates/`, writes the page and returns its absolute path. Missing folders are made.

    what: name of the page in messages. Values are escaped unless they are Markup. Raises InputError if it cannot be written.
    """
    return write(file, _templates().get_template(template).render(values), what)


def write(file: str | Path, text: str, what: str) -> Path:
    """Writes a text as UTF-8 and returns its absolute path. Missing folders are made. Raises InputError."""
    path = Path(file).absolute()
    try:
        write_atomically(path, text.encode("utf-8", "backslashreplace"))
    except OSError as error:
        raise InputError(f"cannot write the {what} to {printable(path)}: {error.strerror or error}") from None
    return path


@cache
def _templates() -> "Environment":
    import jinja2  # only pages need it

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("seesay.render"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_printable,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.policies["json.dumps_kwargs"] = {"separators": (",", ":")}
    return environment


def _printable(value: object) -> object:
    """A value as text that can be encoded, before it is escaped."""
    return printable(value) if isinstance(value, (str, os.PathLike)) and not hasattr(value, "__html__") else value
