"""`seesay models convert`: writes a model in another form, and measures what 8-bit weights cost."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from gettext import gettext as _
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from seesay.cli.download import asked
from seesay.cli.language import translate
from seesay.cli.models.overrides import override_options
from seesay.cli.options import json_option, record
from seesay.cli.output import echo_json, echo_note
from seesay.cli.progress import working

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from seesay.checkpoints.formats.seesay import Storage
    from seesay.checkpoints.overrides import Overrides
    from seesay.checkpoints.reader import Checkpoint
    from seesay.evaluation.datasets import Captions, Labels
    from seesay.evaluation.fidelity import Fidelity

    Pairs = Sequence[tuple[Captions | None, Labels | None]]

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

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> "list[CompletionItem]":
        return self._choice().shell_complete(ctx, param, incomplete)


@dataclass(frozen=True)
class ReportTables:
    """The tables to measure an 8-bit model on, and which of their rows."""

    tables: tuple[Path, ...]
    images: Path | None
    lang: str | None
    split: str | None

    def read(self) -> "Pairs":
        """Per table its captions, its labels, or both. Raises InputError."""
        from seesay.evaluation.datasets import read_either

        return [read_either(table, self.images, language=self.lang, split=self.split) for table in self.tables]


report_options = record(
    "report",
    ReportTables,
    (
        click.option(
            "--report",
            "tables",
            multiple=True,
            metavar="TSV",
            type=click.Path(path_type=Path),
            help="Measure what that costs against float32 on your photos: a table of image and text, or of image and label; "
            "may be repeated.",
        ),
        click.option(
            "--images", type=click.Path(path_type=Path), help="Folder of the table's pictures. Default: images/ beside it."
        ),
        click.option("--lang", help="Rows to use, where the table has a column lang. Default: en, where there is any."),
        click.option("--split", help="Rows to use, where the table has a column split."),
    ),
)


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
@report_options
@override_options
@json_option
def convert(
    source: str,
    folder: Path,
    target: str,
    int8: Literal["weights", "dynamic"] | None,
    report: ReportTables,
    overrides: "Overrides",
    as_json: bool,
) -> int:
    """Write a model in another form: any checkpoint, folder or name becomes a new FOLDER that stands alone.

    A SeeSay folder's graphs are compared with torch before the folder appears.
    """
    if target != "seesay" and (int8 or report.tables):
        raise click.UsageError(_("--int8 and --report are for SeeSay folders; leave out --to"))
    if report.tables and not int8:
        raise click.UsageError(_("--report measures what --int8 costs; say which with --int8 weights or --int8 dynamic"))
    pairs = report.read()  # before the long work
    with working(_("reading")):
        checkpoint = _open(source, overrides)
    notes = [note for captions, _ in pairs if captions for note in captions.notes] + _missing_vocabulary(
        checkpoint, source, folder
    )
    differences = None
    if target == "seesay":
        differences = _write(checkpoint, folder, STORAGES[int8])
    else:
        notes += _write_to(checkpoint, folder, target)
    fidelities = _measure(checkpoint, folder, pairs) if pairs else []
    megabytes = sum(file.stat().st_size for file in folder.iterdir()) / 1e6
    if as_json:
        echo_json(_json(folder, target, megabytes, notes, differences, report.tables, fidelities))
        return 0
    click.echo(_("wrote {folder}, {megabytes:.1f} MB").format(folder=folder, megabytes=megabytes))
    if differences is not None:
        _print_differences(differences, quantized=int8 is not None)
    for note in notes:
        echo_note(translate(note))
    for table, fidelity in zip(report.tables, fidelities, strict=True):
        _print_fidelity(table, fidelity)
    return 0


def _open(source: str, overrides: "Overrides") -> "Checkpoint":
    from seesay.checkpoints.hub.locate import locate
    from seesay.checkpoints.reader import open_checkpoint

    path, entry = asked(lambda download_gb: locate(source, download_gb=download_gb))
    return open_checkpoint(path, replace(overrides, entry=entry))


def _missing_vocabulary(checkpoint: "Checkpoint", source: str, folder: Path) -> list[str]:
    """A note for a text tower without its vocabulary."""
    from seesay.tokenizers.from_files import FILES

    if checkpoint.description.text is None or checkpoint.tokenizer() is not None:
        return []
    return [f"{source} has no vocabulary beside it; put {FILES} into {folder}, or it encodes no text"]


def _write(checkpoint: "Checkpoint", folder: Path, storage: "Storage") -> dict[str, float]:
    """Writes a SeeSay folder. Returns the largest difference of each graph from torch."""
    from seesay.checkpoints.convert import convert as write

    with working(_("writing, and comparing with torch")):
        return write(checkpoint, folder, storage).differences


def _write_to(checkpoint: "Checkpoint", folder: Path, target: str) -> list[str]:
    """Writes another library's format. Returns a note if that library prepares pictures differently."""
    from seesay.checkpoints.convert import convert_to
    from seesay.checkpoints.reader import open_checkpoint
    from seesay.system.schema import to_json

    with working(_("writing")):
        convert_to(checkpoint, folder, target)
    before, after = (to_json(each.description.image_spec) or {} for each in (checkpoint, open_checkpoint(folder)))
    changed = [f"{key} {after[key]} (was {value})" for key, value in before.items() if after[key] != value]
    if not changed:
        return []
    return [f"{target} prepares pictures its own way, so their vectors differ a little: {', '.join(changed)}"]


def _measure(checkpoint: "Checkpoint", folder: Path, pairs: "Pairs") -> "list[Fidelity]":
    """Compares the folder's model with a full-precision one of the same checkpoint, which may itself be quantized."""
    from seesay.checkpoints.convert import convert as write
    from seesay.evaluation.fidelity import compare
    from seesay.model import load

    with working(_("measuring what it costs")), tempfile.TemporaryDirectory(prefix="seesay-") as place:
        full = load(write(checkpoint, Path(place) / "float32").folder)
        return [compare(full, load(folder), captions, labels) for captions, labels in pairs]


def _json(
    folder: Path,
    target: str,
    megabytes: float,
    notes: list[str],
    differences: dict[str, float] | None,
    tables: tuple[Path, ...],
    fidelities: "list[Fidelity]",
) -> dict[str, Any]:
    """The conversion as --json prints it; `differences` and `reports` only if there are any."""
    from seesay.system.schema import to_json

    document: dict[str, Any] = {"folder": str(folder), "format": target, "notes": notes}
    if differences is not None:
        document["differences"] = differences
    if fidelities:
        reports = zip(tables, fidelities, strict=True)
        document["reports"] = [{"table": str(table), **to_json(fidelity)} for table, fidelity in reports]
    return document | {"megabytes": round(megabytes, 1)}


def _print_differences(differences: dict[str, float], *, quantized: bool) -> None:
    reference = _("from torch's float32") if quantized else _("from torch")
    parts = {"image": _("pictures"), "text": _("texts"), "dense": _("features per patch")}
    for part, difference in differences.items():
        click.echo(
            _("  {part}: at most {difference:.1e} {what}, on unit vectors of random input").format(
                part=parts[part], difference=difference, what=reference
            )
        )


def _print_fidelity(table: Path, fidelity: "Fidelity") -> None:
    click.echo(_("\nAgainst float32 on {table}:").format(table=table))
    for name, spread in ((_("pictures"), fidelity.images), (_("texts"), fidelity.texts)):
        if spread:
            click.echo(
                _("  {name:9} {count:6}  cosine mean {mean:.5f}, 1st percentile {percentile:.5f}, least {least:.5f}").format(
                    name=name, count=spread.count, mean=spread.mean, percentile=spread.percentile_1, least=spread.least
                )
            )
    for change in fidelity.changes:
        points = _("{points:+.1f} points").format(points=100 * (change.narrow - change.wide))
        click.echo(f"  {change.metric:32} {change.wide:6.1%} -> {change.narrow:6.1%}  ({points})")
