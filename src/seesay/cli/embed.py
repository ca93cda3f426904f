"""`seesay embed`: writes the vectors of pictures and texts to a file."""

from gettext import gettext as _
from pathlib import Path

import click

from seesay.cli.options import json_option, model_option, open_model
from seesay.cli.output import echo_failures, echo_json, echo_skipped, failures_json, refuse_input, short
from seesay.cli.progress import progress_bar
from seesay.errors import InputError

FEW = 20  # pictures; fewer get no bar


@click.command()
@click.argument("inputs", nargs=-1, metavar="[FILE|FOLDER]...", type=click.Path())
@click.option("--text", "texts", multiple=True, metavar="TEXT", help="Also embed this text; may be repeated.")
@click.option(
    "-o", "--output", required=True, metavar="FILE", type=click.Path(), help="A .npz, .jsonl or .parquet file to write."
)
@click.option("--shard", metavar="I/N", help="Do part I of N, from 1/N to N/N; {i} in the output's name is the number.")
@model_option
@json_option
def embed(
    inputs: tuple[str, ...], texts: tuple[str, ...], output: str, shard: str | None, model: str | None, as_json: bool
) -> int:
    """Write the vectors of pictures, folders of pictures, lists of texts (.tsv, .csv, .txt) and texts to a file.

    A picture may also be given by its URL; a .tar or a .parquet file is an archive of pictures. A run into a .parquet file that
    was stopped goes on where it ended, and seesay library import takes such files into a library.
    """
    from seesay.library.embedding.embed import NothingToEmbed
    from seesay.library.embedding.embed import embed as run
    from seesay.library.embedding.listing import list_items
    from seesay.library.embedding.outputs import SUFFIXES
    from seesay.library.embedding.shard import PLACE, Shard

    if Path(output).suffix.lower() not in SUFFIXES:
        raise click.UsageError(
            _("The output file must end in {writers}; got {output!r}.").format(writers=", ".join(SUFFIXES), output=output)
        )
    if not inputs and not texts:
        raise click.UsageError(_("Give files, folders or --text."))
    if shard is None and PLACE in output:
        raise click.UsageError(
            _("{place} in the output's name is the number of a shard; give --shard too.").format(place=PLACE)
        )
    part = Shard() if shard is None else Shard.parse(shard)
    file = Path(part.output(output))
    refuse_input(file, *inputs)
    opened = open_model(model)
    listing = list_items(inputs, texts, part)
    try:
        with progress_bar(_("Embedding"), quiet=listing.count < FEW) as progress:
            report = run(opened, listing, file, progress)
    except NothingToEmbed as nothing:
        echo_skipped(nothing.report.skipped)
        echo_failures(nothing.report.failed)
        raise
    except OSError as error:
        raise InputError(_("cannot write {output}: {error}").format(output=file, error=error.strerror or error)) from None
    if as_json:
        made = opened.with_decode("fast")
        echo_json(
            {
                "output": str(file.absolute()),
                "shard": str(part),
                "written": report.written,
                "kept": report.kept,
                "dim": opened.dim,
                "space_id": opened.space_id,
                "build_id": made.build_id,
                "failed": failures_json(report.failed),
                "skipped": dict(report.skipped),
            }
        )
    else:
        click.echo(
            _("wrote {rows} vectors of {dim} dimensions to {written}").format(
                rows=report.written, dim=opened.dim, written=short(str(file))
            )
            + (_(", {count} of them made before").format(count=report.kept) if report.kept else "")
        )
        echo_skipped(report.skipped)
    echo_failures(report.failed)
    return 1 if report.failed else 0
