"""`seesay condition`: writes what an image generator is given for a prompt."""

import math
import os
import warnings
from gettext import gettext as _
from pathlib import Path
from typing import TYPE_CHECKING

import click

from seesay.cli.language import translate
from seesay.cli.options import json_option, naming_options
from seesay.cli.output import echo_json, echo_note, echo_wrote, short
from seesay.cli.progress import progress_bar
from seesay.errors import UnusualPrompt
from seesay.generation.weighting import RULES, Rule
from seesay.system.paths import printable

if TYPE_CHECKING:
    from seesay.generation.conditioning import Conditioning

LONG = 2000  # letters; a shorter prompt gets no bar
FAMILIES = {
    "sd1": "Stable Diffusion 1",
    "sd2": "Stable Diffusion 2",
    "sdxl": "Stable Diffusion XL",
    "sdxl-refiner": "Stable Diffusion XL Refiner",
    "sd3": "Stable Diffusion 3",
    "flux": "FLUX",
    "taiyi": "Taiyi",
    "altdiffusion": "AltDiffusion",
}


@click.command()
@click.argument("text", metavar="TEXT")
@click.option(
    "--from",
    "source",
    required=True,
    metavar="FILE|FOLDER",
    type=click.Path(),
    help="A generator's file (.safetensors, .ckpt) or diffusers folder, or a CLIP checkpoint.",
)
@click.option("--negative", metavar="TEXT", help="What the picture is to be without.")
@click.option(
    "--clip-skip",
    type=int,
    metavar="K",
    help="Layers to skip, as diffusers counts; how web interfaces count is printed. Default: none.",
)
@click.option(
    "--embedding",
    "embeddings",
    multiple=True,
    metavar="FILE",
    type=click.Path(),
    help="A textual inversion, named in TEXT as it is in its file, else as the file is; may be repeated.",
)
@click.option(
    "--lora",
    "loras",
    multiple=True,
    metavar="FILE[:SCALE]",
    help="A LoRA for the text encoder; may be repeated. Default scale: 1.",
)
@click.option(
    "--rule",
    type=click.Choice(RULES),
    default="towards-empty",
    show_default=True,
    help="What weights do: move from what an empty prompt has, or scale and restore the mean; none: brackets are text.",
)
@click.option("-o", "--output", required=True, metavar="FILE", type=click.Path(), help="The .safetensors file to write.")
@json_option
def condition(
    text: str,
    source: str,
    negative: str | None,
    clip_skip: int | None,
    embeddings: tuple[str, ...],
    loras: tuple[str, ...],
    rule: Rule,
    output: str,
    as_json: bool,
) -> int:
    """Write what an image generator is given for a prompt: the embeddings that diffusers makes of it.

    Weights: (word:1.3), ((word)), [word], word++, word--; BREAK begins a new chunk; \\( is a bracket that is only text.
    Needs torch.
    """
    from seesay.generation.conditioner import Conditioner
    from seesay.generation.lora import read_lora

    scaled = [_scaled(each) for each in loras]
    _check_output(output, source, *embeddings, *(file for file, _scale in scaled))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnusualPrompt)  # the notes of the record, which are printed below
        conditioner = Conditioner(source, embeddings=embeddings, loras=[read_lora(*each) for each in scaled])
        bar = progress_bar(_("Encoding"), quiet=as_json or len(text) < LONG, first=_("Encoding"))
        with bar as progress, naming_options():
            found = conditioner(text, negative, clip_skip=clip_skip, rule=rule, progress=progress)
    found.save(output)
    for note in found.notes:
        echo_note(translate(note))
    if as_json:
        shapes = {name: list(tensor.shape) for name, tensor in found.tensors.items()}
        echo_json({"output": os.path.abspath(output), "tensors": shapes, **found.facts, "notes": list(found.notes)})
    else:
        _print(found)
        echo_wrote(output)
    return 0


def _scaled(given: str) -> tuple[str, float]:
    """The file and the scale of --lora FILE[:SCALE]."""
    file, colon, number = given.rpartition(":")
    if not colon or os.path.exists(given):
        return given, 1.0
    try:
        scale = float(number)
    except ValueError:
        if {"/", "\\"} & set(number):  # the colon is a drive's or a folder's
            return given, 1.0
        scale = math.nan
    if not math.isfinite(scale):
        raise click.UsageError(
            _("--lora: expected a number after the file and the colon, its scale; got {number!r}.").format(number=number)
        )
    return file, scale


def _check_output(output: str, *inputs: str) -> None:
    """Raises UsageError for a name of another kind, and for a file that is read."""
    if not output.lower().endswith(".safetensors"):
        raise click.UsageError(_("The output file must end in .safetensors; got {output!r}.").format(output=output))
    if os.path.exists(output) and any(_holds(each, output) for each in inputs):
        message = _("{file} belongs to what is read, and SeeSay writes over no file that it reads; name another.")
        raise click.UsageError(message.format(file=short(output)))
    from seesay.checkpoints.containers.outputs import check_replaceable

    check_replaceable(Path(output))


def _holds(given: str, file: str) -> bool:
    """Whether what was given is this file, which exists, or a folder in which it lies."""
    if os.path.isdir(given) and Path(given).resolve() in Path(file).resolve().parents:
        return True
    return os.path.exists(given) and os.path.samefile(file, given)


def _print(found: "Conditioning") -> None:
    if found.family is not None:
        click.echo(FAMILIES[found.family])
    for name, tensor in found.tensors.items():
        click.echo(f"  {name:31}{' × '.join(map(str, tensor.shape))}")
    if found.web_clip_skip is not None:
        click.echo(
            _("  clip skip {skip} in diffusers, which is {web} in web interfaces").format(
                skip=_("none") if found.clip_skip is None else found.clip_skip, web=found.web_clip_skip
            )
        )
    chunks = {"positive": len(found.positive.chunks), "negative": len(found.negative.chunks)}
    click.echo(_("  chunks of the prompt: {positive}, of the negative: {negative}").format(**chunks))
    for lora in found.loras:
        layers = ", ".join(f"{encoder} {count}" for encoder, count in lora["layers"].items())
        click.echo(
            _("  LoRA {file} × {scale:g}: layers changed: {layers}").format(
                file=printable(lora["file"]), scale=lora["scale"], layers=layers or _("none")
            )
        )
    for each in found.embeddings:
        places = {"prompt": _("the prompt"), "negative": _("the negative prompt")}
        where = ", ".join(places[side] for side in each["used_in"]) or _("neither prompt")
        click.echo(
            _("  new word {name} ({file}), vectors: {vectors}, in: {where}").format(
                name=printable(each["name"]), file=printable(each["file"]), vectors=each["vectors"], where=where
            )
        )
    for weight in (*found.positive.weights, *found.negative.weights):
        click.echo(f"  × {weight['weight']:<6.4g} {weight['text']}")
