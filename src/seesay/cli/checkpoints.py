"""`seesay models inspect` and `seesay models convert`: what a checkpoint is, and the same model in another form."""

import tempfile
from collections.abc import Callable
from gettext import gettext as _
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.shell_completion import CompletionItem

from seesay.cli.language import told
from seesay.cli.output import echo_json, json_option, working

if TYPE_CHECKING:
    from seesay.checkpoints.formats.seesay import Storage
    from seesay.checkpoints.inspect import Inspection
    from seesay.checkpoints.overrides import Overrides
    from seesay.evaluation.fidelity import Fidelity

F = TypeVar("F", bound=Callable[..., Any])
STORAGES: "dict[str | None, Storage]" = {None: "float32", "weights": "int8", "dynamic": "int8-rows"}


class TargetFormat(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.4 only
    """A choice of `seesay` and the formats that have a writer; the registry is imported when the option is used or shown."""

    name = "format"

    def _choice(self) -> click.Choice[str]:
        from seesay.checkpoints.formats.registry import writers

        return click.Choice(["seesay", *writers()])

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        return self._choice().convert(value, param, ctx)

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str | None:
        return self._choice().get_metavar(param, ctx)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        return self._choice().shell_complete(ctx, param, incomplete)


def override_options(command: F) -> F:
    """Options for facts that a checkpoint's file may lack."""
    for option in (
        click.option("--text-heads", type=int, metavar="N", help="Attention heads of the text tower."),
        click.option("--image-heads", type=int, metavar="N", help="Attention heads of the image tower."),
        click.option("--preprocessing", type=click.Choice(["openai", "chinese-clip"]), help="How pictures are prepared."),
        click.option("--activation", type=click.Choice(["gelu", "quick_gelu", "gelu_tanh"]), help="Of the towers."),
        click.option("--architecture", metavar="NAME", help="Its name in the catalogue (seesay models architectures)."),
    ):
        command = option(command)
    return command


@click.command()
@click.argument("file", metavar="FILE|FOLDER", type=click.Path(path_type=Path))
@override_options
@json_option
def inspect(file: Path, as_json: bool, **overrides: Any) -> int:
    """Say what a checkpoint is, tower by tower, without running it, and what it leaves open.

    Exit code 1 if it cannot be used as it is.
    """
    from seesay.checkpoints.hub.catalog import find
    from seesay.checkpoints.inspect import inspect as look
    from seesay.system.schema import to_json

    if not file.exists() and (str(file) == "bundled" or find(str(file))):
        raise click.UsageError(
            _("{file} is a model's name, not a file; what it is says: seesay models info {file}").format(file=file)
        )
    found = look(file, _overrides(overrides))
    if as_json:
        echo_json({**to_json(found), "file": str(found.file)})
    else:
        _print(found)
    return 1 if found.unknown or found.faults else 0


@click.command()
@click.argument("source", metavar="SOURCE")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--to",
    "target",
    type=TargetFormat(),
    default="seesay",
    show_default=True,
    help="Whose format. Others are refused where they cannot express the model exactly.",
)
@click.option(
    "--int8",
    type=click.Choice(["weights", "dynamic"]),
    help="Store 8-bit weights. weights: in blocks of 32, nearest to float32; dynamic: with 8-bit activations per token or "
    "patch, the fastest for pictures.",
)
@click.option(
    "--report",
    "tables",
    multiple=True,
    metavar="TSV",
    type=click.Path(path_type=Path),
    help="Measure what that costs against float32 on your photos: a table of image and text, or of image and label; "
    "may be repeated.",
)
@click.option("--images", type=click.Path(path_type=Path), help="Folder of the table's pictures. Default: images/ beside it.")
@click.option("--lang", help="Rows to use, where the table has a column lang. Default: en, where there is any.")
@click.option("--split", help="Rows to use, where the table has a column split.")
@override_options
@json_option
def convert(
    source: str,
    folder: Path,
    target: str,
    int8: str | None,
    tables: tuple[Path, ...],
    images: Path | None,
    lang: str | None,
    split: str | None,
    as_json: bool,
    **overrides: Any,
) -> int:
    """Write a model in another form: any checkpoint, folder or name becomes a new FOLDER that stands alone.

    A SeeSay folder's graphs are compared with torch before the folder appears.
    """
    from dataclasses import replace

    from seesay.checkpoints.convert import convert as write
    from seesay.checkpoints.convert import convert_to
    from seesay.checkpoints.hub.locate import locate
    from seesay.checkpoints.reader import open_checkpoint
    from seesay.evaluation.datasets import read_either
    from seesay.evaluation.fidelity import compare
    from seesay.system.schema import to_json
    from seesay.tokenizers.from_files import FILES

    if target != "seesay" and (int8 or tables):
        raise click.UsageError(_("--int8 and --report are for SeeSay folders; leave out --to"))
    if tables and not int8:
        raise click.UsageError(_("--report measures what --int8 costs; say which with --int8 weights or --int8 dynamic"))
    pairs = [read_either(table, images, language=lang, split=split) for table in tables]  # before the long work
    path, entry = locate(source)
    with working(_("reading")):
        checkpoint = open_checkpoint(path, replace(_overrides(overrides), entry=entry))
    result: dict[str, Any] = {
        "folder": str(folder),
        "format": target,
        "notes": [note for captions, _ in pairs if captions for note in captions.notes],
    }
    if checkpoint.description.text is not None and checkpoint.tokenizer() is None:
        result["notes"].append(f"{source} has no vocabulary beside it; put {FILES} into {folder}, or it encodes no text")
    if target != "seesay":
        with working(_("writing")):
            convert_to(checkpoint, folder, target)
        before, after = (to_json(c.description.image_spec) or {} for c in (checkpoint, open_checkpoint(folder)))
        if changed := [f"{key} {after[key]} (was {was})" for key, was in before.items() if after[key] != was]:
            result["notes"].append(
                f"{target} prepares pictures its own way, so their vectors differ a little: {', '.join(changed)}"
            )
    else:
        with working(_("writing, and comparing with torch")):
            result["differences"] = write(checkpoint, folder, STORAGES[int8]).differences
    reports = []
    if pairs:
        from seesay.model import load

        # The source itself may be stored narrowly.
        with working(_("measuring what it costs")), tempfile.TemporaryDirectory(prefix="seesay-") as place:
            wide = load(write(checkpoint, Path(place) / "float32").folder)
            reports = [compare(wide, load(folder), *each) for each in pairs]
        result["reports"] = [{"table": str(t), **to_json(r)} for t, r in zip(tables, reports, strict=True)]
    megabytes = sum(file.stat().st_size for file in folder.iterdir()) / 1e6
    if as_json:
        echo_json(result | {"megabytes": round(megabytes, 1)})
        return 0
    click.echo(_("wrote {folder}, {megabytes:.1f} MB").format(folder=folder, megabytes=megabytes))
    for part, difference in result.get("differences", {}).items():
        what = _("from torch's float32") if int8 else _("from torch")
        parts = {"image": _("pictures"), "text": _("texts"), "dense": _("features per patch")}
        click.echo(
            _("  {part}: at most {difference:.1e} {what}, on unit vectors of random input").format(
                part=parts[part], difference=difference, what=what
            )
        )
    for note in result["notes"]:
        click.echo(_("seesay: note: {note}").format(note=told(note)), err=True)
    for table, report in zip(tables, reports, strict=True):
        _print_report(table, report)
    return 0


def _overrides(values: dict[str, Any]) -> "Overrides":
    from seesay.checkpoints.overrides import Overrides

    return Overrides(**values)


def _print(found: "Inspection") -> None:
    dtypes = ", ".join(found.dtypes)
    click.echo(click.style(str(found.file), bold=True) + f"  {found.kind}, {found.megabytes} MB")
    click.echo(_("format         {found}").format(found=found.format or _("not known")))
    numbers = _("{parameters:.1f} million numbers, {dtypes}").format(parameters=found.parameters / 1e6, dtypes=dtypes)
    click.echo(
        _("tensors        {tensors}, {numbers}").format(tensors=found.tensors, numbers=numbers)
        if found.tensors
        else _("tensors        in its graphs, {numbers}").format(numbers=numbers)
    )
    for name, tower in ((_("image tower"), found.image), (_("text tower"), found.text)):
        if tower:
            click.echo(f"{name:14} {_tower(tower)}")
    if found.dim:
        click.echo(_("shared space   {dim} dimensions").format(dim=found.dim))
    if spec := found.preprocessing:
        how = {
            "shortest": _("shorter side to {resize_px}, centre").format(resize_px=spec["resize_px"]),
            "squash": _("squashed to"),
            "longest": _("longer side to"),
        }
        click.echo(
            _("pictures       {resize} {size_px} px, {interpolation}").format(
                resize=how[spec["resize"]], size_px=spec["size_px"], interpolation=spec["interpolation"]
            )
        )
    if found.text and found.dim:
        from seesay.tokenizers.from_files import FILES

        none = _("none beside the weights: without {files} it encodes no text").format(files=FILES)
        click.echo(_("tokenizer      {tokenizer}").format(tokenizer=found.tokenizer or none))
    for name, why in found.ignored.items():
        click.echo(_("left out       {name}: {why}").format(name=name, why=why))
    for note in found.notes:
        click.echo(_("note           {note}").format(note=note))
    if fault := found.unknown or found.faults:
        click.echo(f"seesay: {told(fault)}", err=True)
    else:
        click.echo(_("Every tensor is accounted for."))


def _tower(tower: dict[str, Any]) -> str:
    known = {key: value for key, value in tower.items() if key != "kind" and value is not None and value is not False}
    return f"{tower['kind']}: " + ", ".join(f"{key} {value}" for key, value in known.items() if not isinstance(value, list))


def _print_report(table: Path, report: "Fidelity") -> None:
    click.echo(_("\nAgainst float32 on {table}:").format(table=table))
    for name, spread in ((_("pictures"), report.images), (_("texts"), report.texts)):
        if spread:
            click.echo(
                _("  {name:9} {count:6}  cosine mean {mean:.5f}, 1st percentile {percentile:.5f}, least {least:.5f}").format(
                    name=name, count=spread.count, mean=spread.mean, percentile=spread.percentile_1, least=spread.least
                )
            )
    for change in report.changes:
        points = _("{points:+.1f} points").format(points=100 * (change.narrow - change.wide))
        click.echo(f"  {change.metric:32} {change.wide:6.1%} -> {change.narrow:6.1%}  ({points})")
