"""`seesay embed`: writes the vectors of pictures and texts to a file."""

from gettext import gettext as _
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from seesay.cli.options import LOAD, json_option, model_option, open_model, record
from seesay.cli.output import echo_failures, echo_json, echo_skipped, failures_json, refuse_input, short
from seesay.cli.progress import progress_bar
from seesay.errors import InputError

if TYPE_CHECKING:
    from seesay.library.embedding.embed import EmbedReport
    from seesay.library.embedding.listing import Listing
    from seesay.library.embedding.table import Origin
    from seesay.system.progress import Progress

FEW = 20  # pictures; fewer get no bar


class RayOptions(NamedTuple):
    """The options of a run on Ray; `address` is None for one in this process."""

    address: str | None
    actors: int
    cpus: float
    gpus: float


ray_options = record(
    "ray",
    lambda ray, **more: RayOptions(ray, **{name.removeprefix("actor_"): value for name, value in more.items()}),
    (
        click.option("--ray", metavar="ADDRESS", help="Let Ray do it: HOST:PORT of a cluster's head, auto, or local."),
        click.option("--actors", default=1, show_default=True, type=click.IntRange(min=1), help="With --ray: models at work."),
        click.option(
            "--actor-cpus", default=1.0, show_default=True, type=click.FloatRange(0, min_open=True), help="Cores of each."
        ),
        click.option("--actor-gpus", default=0.0, show_default=True, type=click.FloatRange(0), help="GPUs of each, or a part."),
    ),
)


@click.command()
@click.argument("inputs", nargs=-1, metavar="[FILE|FOLDER]...", type=click.Path())
@click.option("--text", "texts", multiple=True, metavar="TEXT", help="Also embed this text; may be repeated.")
@click.option(
    "-o", "--output", required=True, metavar="FILE", type=click.Path(), help="A .npz, .jsonl or .parquet file to write."
)
@click.option("--shard", metavar="I/N", help="Do part I of N, from 1/N to N/N; {i} in the output's name is the number.")
@ray_options
@model_option
@json_option
def embed(
    inputs: tuple[str, ...],
    texts: tuple[str, ...],
    output: str,
    shard: str | None,
    ray: RayOptions,
    model: str | None,
    as_json: bool,
) -> int:
    """Write the vectors of pictures, folders of pictures, lists of texts (.tsv, .csv, .txt) and texts to a file.

    A picture may also be given by its URL; a .tar or a .parquet file is an archive of pictures. A run into a .parquet file that
    was stopped goes on where it ended, and seesay library import takes such files into a library (docs/embedding.md).
    """
    from seesay.library.embedding.embed import NothingToEmbed
    from seesay.library.embedding.listing import list_items
    from seesay.library.embedding.shard import PLACE, Shard

    if shard is None and PLACE in output:
        message = _("{place} in the output's name is the number of a shard; give --shard too.")
        raise click.UsageError(message.format(place=PLACE))
    part = Shard() if shard is None else Shard.parse(shard)
    file = Path(part.output(output))
    _check(file, inputs, texts, ray)
    run = _here(model) if ray.address is None else _on_ray(model, ray)
    listing = list_items(inputs, texts, part)
    try:
        with progress_bar(_("Embedding"), quiet=listing.count < FEW) as progress:
            report, origin = run(listing, file, progress)
    except NothingToEmbed as nothing:
        echo_skipped(nothing.report.skipped)
        echo_failures(nothing.report.failed)
        raise
    except OSError as error:
        raise InputError(_("cannot write {output}: {error}").format(output=file, error=error.strerror or error)) from None
    if as_json:
        echo_json(_json(report, origin, file, part))
    else:
        _print(report, origin, file)
    echo_failures(report.failed)
    return 1 if report.failed else 0


def _check(file: Path, inputs: tuple[str, ...], texts: tuple[str, ...], ray: RayOptions) -> None:
    """Raises UsageError for what cannot be written, or from what."""
    from seesay.library.embedding.outputs import SUFFIXES

    if file.suffix.lower() not in SUFFIXES:
        raise click.UsageError(
            _("The output file must end in {writers}; got {output!r}.").format(writers=", ".join(SUFFIXES), output=str(file))
        )
    if ray.address is not None and file.suffix.lower() != ".parquet":
        raise click.UsageError(_("With --ray the output file must end in .parquet; got {output!r}.").format(output=str(file)))
    if not inputs and not texts:
        raise click.UsageError(_("Give files, folders or --text."))
    refuse_input(file, *inputs)


def _here(name: str | None) -> Any:
    """A run in this process."""
    from seesay.library.embedding.embed import embed as run
    from seesay.library.embedding.table import Origin

    model = open_model(name)

    def embed_here(listing: "Listing", file: Path, progress: "Progress | None") -> "tuple[EmbedReport, Origin]":
        return run(model, listing, file, progress), Origin.of(model.with_decode("fast"))

    return embed_here


def _on_ray(name: str | None, ray: RayOptions) -> Any:
    """A run by the actors of a cluster."""
    from seesay.library.embedding.cluster import Cluster, embed_on_ray
    from seesay.library.embedding.workers import ModelSource

    source = ModelSource(name, click.get_current_context().meta.get(LOAD, {}))
    cluster = Cluster(ray.address or "", ray.actors, ray.cpus, ray.gpus)

    def embed_there(listing: "Listing", file: Path, progress: "Progress | None") -> "tuple[EmbedReport, Origin]":
        return embed_on_ray(source, listing, file, cluster, progress)

    return embed_there


def _print(report: "EmbedReport", origin: "Origin", file: Path) -> None:
    wrote = _("wrote {rows} vectors of {dim} dimensions to {written}")
    before = _(", {count} of them made before").format(count=report.kept) if report.kept else ""
    click.echo(wrote.format(rows=report.written, dim=origin.dim, written=short(str(file))) + before)
    echo_skipped(report.skipped)


def _json(report: "EmbedReport", origin: "Origin", file: Path, shard: object) -> dict[str, object]:
    return {
        "output": str(file.absolute()),
        "shard": str(shard),
        "written": report.written,
        "kept": report.kept,
        "dim": origin.dim,
        "space_id": origin.space_id,
        "build_id": origin.build_id,
        "failed": failures_json(report.failed),
        "skipped": dict(report.skipped),
    }
