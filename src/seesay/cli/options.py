"""Options that several commands share, and `record`, which passes a group of options to a command as one argument."""

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from seesay.cli.download import asked

if TYPE_CHECKING:
    from seesay.model import Model

F = TypeVar("F", bound=Callable[..., Any])
Option = Callable[[Any], Any]  # a decorator such as click.option returns

PREPROCESSING = "seesay.preprocessing"  # key of the option's value in the context of a running command


def record(name: str, make: Callable[..., object], options: Sequence[Option]) -> Option:
    """Adds options to a command, which gets them as one argument `name`: `make` called with their values by name."""
    parameters = _parameter_names(options)

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(command)
        def run(**values: Any) -> Any:
            own = {parameter: values.pop(parameter) for parameter in parameters}
            return command(**{name: make(**own)}, **values)

        for option in reversed(options):
            option(run)
        return run

    return decorate


def _parameter_names(options: Sequence[Option]) -> list[str]:
    def probe() -> None: ...

    for option in options:
        option(probe)
    declared: list[click.Parameter] = probe.__click_params__  # type: ignore[attr-defined]  # where click collects them
    return [parameter.name for parameter in declared if parameter.name is not None and parameter.expose_value]


def library_option(command: F) -> F:
    """Adds --library, the folder of the library."""
    return click.option(
        "--library",
        metavar="PATH",
        type=click.Path(),
        help="Folder of the library. Default: $SEESAY_LIBRARY, else your user data directory.",
    )(command)


def model_option(command: F) -> F:
    """Adds --model, and --preprocessing for a checkpoint that does not say it; `open_model` opens the model they name."""
    return click.option(
        "--model",
        metavar="NAME|PATH",
        help="Model: a name (seesay models list), hf:OWNER/NAME on the hub, or a path. Default: the bundled one.",
    )(preprocessing_option(command))


def preprocessing_option(command: F) -> F:
    """Adds --preprocessing, which `open_model` reads from the context."""
    return click.option(
        "--preprocessing",
        type=click.Choice(["openai", "chinese-clip"]),
        expose_value=False,
        callback=lambda context, _, value: context.meta.update({PREPROCESSING: value}),
        help="How the model's pictures are prepared, where its files do not say.",
    )(command)


def open_model(name: str | None) -> "Model":
    """The model that a command's --model and --preprocessing name. Raises ModelError, InputError."""
    from seesay.model import load

    preprocessing = click.get_current_context().meta.get(PREPROCESSING)
    stated = {"preprocessing": preprocessing} if preprocessing else {}
    return asked(lambda download_gb: load(name, download_gb=download_gb, **stated))


def json_option(command: F) -> F:
    """Adds --json, as the argument `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON (docs/cli.md), for scripts.")(command)
