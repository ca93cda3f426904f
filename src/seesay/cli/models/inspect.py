"""`seesay models inspect`: says what a checkpoint is, without running it."""

from collections.abc import Iterator
from gettext import gettext as _
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from seesay.cli.language import translate
from seesay.cli.models.facts import echo_finds
from seesay.cli.models.generator import compared, echo_answer, echo_comparisons, echo_generator, named_others, numbers
from seesay.cli.models.overrides import override_options
from seesay.cli.options import json_option
from seesay.cli.output import echo_error, echo_json

if TYPE_CHECKING:
    from seesay.checkpoints.diffusion.comparison import Comparison
    from seesay.checkpoints.inspect import Inspection
    from seesay.checkpoints.overrides import Overrides


@click.command()
@click.argument("file", metavar="FILE|FOLDER", type=click.Path(path_type=Path))
@click.option(
    "--against",
    metavar="FILE|NAME",
    multiple=True,
    help="Another file or folder, or a model of the catalogue: do they share one CLIP? May be given several times.",
)
@override_options
@json_option
def inspect(file: Path, against: tuple[str, ...], overrides: "Overrides", as_json: bool) -> int:
    """Say what a checkpoint is, tower by tower, without running it, and what it leaves open.

    Of an image generator's file or folder (Stable Diffusion, SDXL, FLUX's text encoders): its text encoders, which published
    CLIP of this machine each equals or is fine-tuned from, and what else is in it. Only headers are read, unless there is
    something to compare with.

    Exit code 1 if it cannot be used as it is.
    """
    from seesay.checkpoints import inspect as checkpoints
    from seesay.checkpoints.hub.catalog import find
    from seesay.system.schema import to_json

    if not file.exists() and (str(file) == "bundled" or find(str(file))):
        raise click.UsageError(
            _("{file} is a model's name, not a file; what it is says: seesay models info {file}").format(file=file)
        )
    inspection = checkpoints.inspect(file, overrides)
    others, comparisons = named_others(against), list["Comparison"]()
    if others or (inspection.generator is not None and inspection.generator.encoders):
        comparisons = compared(file, others, overrides, quiet=as_json) if not inspection.faults else []
    if as_json:
        echo_json({**to_json(inspection), "file": str(inspection.file), "comparisons": to_json(comparisons)})
    else:
        _print(inspection, comparisons)
        for other in others if comparisons else ():
            echo_answer(file, other.name, comparisons)
    return 1 if inspection.unknown or inspection.faults else 0


def _print(inspection: "Inspection", comparisons: "list[Comparison]") -> None:
    click.echo(click.style(str(inspection.file), bold=True) + f"  {inspection.kind}, {inspection.megabytes} MB")
    click.echo(_("format         {format}").format(format=translate(inspection.format or "") or _("not known")))
    held = _("{numbers}, {dtypes}").format(numbers=numbers(inspection.parameters), dtypes=", ".join(inspection.dtypes))
    click.echo(
        _("tensors        {tensors}, {numbers}").format(tensors=inspection.tensors, numbers=held)
        if inspection.tensors
        else _("tensors        in its graphs, {numbers}").format(numbers=held)
    )
    for name, tower in ((_("image tower"), inspection.image), (_("text tower"), inspection.text)):
        if tower:
            click.echo(f"{name:14} {_tower(tower)}")
    if inspection.generator:
        echo_generator(inspection.generator, comparisons)
    elif comparisons:
        echo_comparisons(comparisons)
    if inspection.finds:
        echo_finds(inspection.finds, inspection.file)
    if inspection.dim:
        click.echo(_("shared space   {dim} dimensions").format(dim=inspection.dim))
    if spec := inspection.preprocessing:
        how = {
            "shortest": _("shorter side to {resize_px}, centre").format(resize_px=spec["resize_px"]),
            "squash": _("squashed to"),
            "longest": _("longer side to"),
            "corner": _("in the corner of a grey square, smoothed,"),
        }
        click.echo(
            _("pictures       {resize} {size_px} px, {interpolation}").format(
                resize=how[spec["resize"]], size_px=spec["size_px"], interpolation=spec["interpolation"]
            )
        )
    if inspection.text and inspection.dim:
        from seesay.tokenizers.from_files import FILES

        none = _("none beside the weights: without {files} it encodes no text").format(files=FILES)
        click.echo(_("tokenizer      {tokenizer}").format(tokenizer=inspection.tokenizer or none))
    for name, why in inspection.ignored.items():
        click.echo(_("left out       {name}: {why}").format(name=name, why=why))
    for note in inspection.notes:
        click.echo(_("note           {note}").format(note=note))
    if fault := inspection.unknown or inspection.faults:
        echo_error(translate(fault))
    elif inspection.generator:
        click.echo(_("Every tensor of its text encoders is accounted for."))
    elif inspection.kind.startswith("graphs "):
        click.echo(_("The graphs' inputs and outputs are what the files beside them say."))
    else:
        click.echo(_("Every tensor is accounted for."))


def _tower(tower: dict[str, Any]) -> str:
    """A tower's kind and its values in one line."""
    shown = [f"{key} {value}" for key, value in _values(tower) if key != "kind" and value is not None and value is not False]
    return f"{tower['kind']}: " + ", ".join(shown)


def _values(tower: dict[str, Any]) -> Iterator[tuple[str, object]]:
    """Names and values, those of objects inside included; lists are left out."""
    for key, value in tower.items():
        if isinstance(value, dict):
            yield from ((f"{key}.{name}", inner) for name, inner in _values(value))
        elif not isinstance(value, list):
            yield key, value
