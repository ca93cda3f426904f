"""Options that several commands share, and `record`, which passes a group of options to a command as one argument."""

import functools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from gettext import gettext as _
from typing import TYPE_CHECKING, Any, TypeVar

import click

from seesay.cli.download import asked
from seesay.cli.language import translate
from seesay.errors import InputError

if TYPE_CHECKING:
    from seesay.library.gallery import GalleryFile
    from seesay.model import Model

F = TypeVar("F", bound=Callable[..., Any])
Option = Callable[[Any], Any]  # a decorator such as click.option returns

LOAD = "seesay.load"  # key of what `seesay.load` gets, in the context of a running command


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


def gallery_option(command: F) -> F:
    """Adds --gallery, the file of a gallery of names."""
    return click.option(
        "--gallery",
        metavar="FILE",
        type=click.Path(),
        help="File of the gallery of names. Default: gallery.db beside the library.",
    )(command)


def open_gallery(model: "Model", file: str | None, library: str | None = None) -> "GalleryFile":
    """The gallery that --gallery names; without it, the one beside the library, else the one beside the user's library."""
    from seesay.library.gallery import GalleryFile, gallery_path

    return GalleryFile(gallery_path(library) if file is None else file, model.space_id, model.dim, model.name)


def model_option(command: F) -> F:
    """Adds --model and the options of `load_options`; `open_model` opens the model they name."""
    return click.option(
        "--model",
        metavar="NAME|PATH",
        help="Model: a name (seesay models list), hf:OWNER/NAME on the hub, or a path. Default: the bundled one.",
    )(load_options(command))


def load_options(command: F) -> F:
    """Adds --engine and --device, and options for facts that a model's files do not say; `open_model` reads them."""
    for option in (
        click.option(
            "--bias", type=float, metavar="NUMBER", help="What a sigmoid model adds to its cosines times --scale.", **_FOR_LOAD
        ),
        click.option(
            "--scale",
            type=float,
            metavar="NUMBER",
            help="The factor of cosines before softmax or sigmoid, where ONNX graphs do not hold it.",
            **_FOR_LOAD,
        ),
        click.option(
            "--variant",
            metavar="NAME",
            help="Which of a repository's ONNX graphs to take, such as fp16 or quantized. Default: fp32.",
            **_FOR_LOAD,
        ),
        click.option(
            "--preprocessing",
            type=click.Choice(["openai", "chinese-clip", "siglip"]),
            help="How the model's pictures are prepared, where its files do not say.",
            **_FOR_LOAD,
        ),
        click.option(
            "--device",
            type=click.Choice(["auto", "cpu", "cuda", "directml", "coreml", "mps", "openvino"]),
            help="Where the model computes (seesay doctor says which there are): auto is a GPU, if there is one. Default: cpu.",
            **_FOR_LOAD,
        ),
        click.option(
            "--engine",
            type=click.Choice(["auto", "onnx", "openvino", "torch"]),
            help="What runs the model. Default: auto, which is ONNX Runtime wherever it can.",
            **_FOR_LOAD,
        ),
        click.option(
            "--adapter",
            metavar="FOLDER",
            help="A LoRA adapter (of seesay finetune, or of peft) to put on the model.",
            **_FOR_LOAD,
        ),
    ):
        command = option(command)
    return command


def _keep(context: click.Context, parameter: click.Parameter, value: object) -> None:
    if value is not None:
        context.meta.setdefault(LOAD, {})[parameter.name] = value


_FOR_LOAD: dict[str, Any] = {"expose_value": False, "callback": _keep}


def open_model(name: str | None, **forced: Any) -> "Model":
    """The model that a command's --model names, opened as its other options say. forced: options of `seesay.load` that the
    command needs whatever was given. Raises ModelError, InputError."""
    from seesay.model import load

    options = click.get_current_context().meta.get(LOAD, {}) | forced
    return asked(lambda download_gb: load(name, download_gb=download_gb, **options))


def page_file(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """A page's file as it was given. Raises BadParameter for a name that is another kind's: it may be a photo's."""
    if value is not None and not value.lower().endswith((".html", ".htm")):
        raise click.BadParameter(_("expected a file that ends in .html, got {file!r}.").format(file=value))
    return value


def json_option(command: F) -> F:
    """Adds --json, as the argument `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON (docs/cli.md), for scripts.")(command)


@contextmanager
def naming_options() -> Iterator[None]:
    """Names the option in the message of an InputError about a parameter: "--min-px: ..." for "min_px: ..."."""
    try:
        yield
    except InputError as fault:
        if fault.parameter is None or fault.reason == str(fault):
            raise
        option = f"--{fault.parameter.replace('_', '-')}"
        raise InputError(_("{option}: {reason}").format(option=option, reason=translate(fault.reason))) from fault
