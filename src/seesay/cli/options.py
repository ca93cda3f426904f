"""Options that several commands share, and `record`, which passes a group of options to a command as one argument."""

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from seesay.model import Model

F = TypeVar("F", bound=Callable[..., Any])
Option = Callable[[Any], Any]  # a decorator such as click.option returns

FACTS = "seesay.facts"  # key of the options' values in the context of a running command


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
    """Adds --model, and the options of `fact_options`; `open_model` opens the model they name."""
    return click.option(
        "--model", metavar="NAME|PATH", help="Model to use: a name (seesay models list) or a path. Default: the bundled one."
    )(fact_options(command))


def fact_options(command: F) -> F:
    """Adds options for facts that a model's files do not say, which `open_model` reads from the context."""

    def keep(context: click.Context, parameter: click.Parameter, value: object) -> None:
        if value is not None:
            context.meta.setdefault(FACTS, {})[parameter.name] = value

    for option in reversed(
        (
            click.option(
                "--preprocessing",
                type=click.Choice(["openai", "chinese-clip"]),
                expose_value=False,
                callback=keep,
                help="How the model's pictures are prepared, where its files do not say.",
            ),
            click.option(
                "--variant",
                metavar="NAME",
                expose_value=False,
                callback=keep,
                help="Which of a repository's ONNX graphs to take, such as fp16 or quantized. Default: fp32.",
            ),
            click.option(
                "--scale",
                type=float,
                metavar="NUMBER",
                expose_value=False,
                callback=keep,
                help="The factor of cosines before softmax or sigmoid, where ONNX graphs do not hold it.",
            ),
            click.option(
                "--bias",
                type=float,
                metavar="NUMBER",
                expose_value=False,
                callback=keep,
                help="What a sigmoid model adds to its cosines times --scale.",
            ),
        )
    ):
        command = option(command)
    return command


def open_model(name: str | None) -> "Model":
    """The model that a command's --model names, with what its other options say. Raises ModelError, InputError."""
    from seesay.model import load

    return load(name, **click.get_current_context().meta.get(FACTS, {}))


def json_option(command: F) -> F:
    """Adds --json, as the argument `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON (docs/cli.md), for scripts.")(command)
