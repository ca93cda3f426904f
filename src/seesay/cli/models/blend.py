"""`seesay models blend`: writes a model whose weights are the weighted mean of others'."""

from gettext import gettext as _
from pathlib import Path

import click

from seesay.cli.language import translate
from seesay.cli.options import json_option
from seesay.cli.output import echo_json, echo_note
from seesay.cli.progress import working


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="A B... FOLDER")
@click.option(
    "--weight",
    type=click.FloatRange(0, 1),
    metavar="W",
    help="The share of B in a blend of two: 0 is A, 1 is B. Default: every model has the same share.",
)
@json_option
def blend(paths: tuple[str, ...], weight: float | None, as_json: bool) -> int:
    """Write a model whose every weight is the mean of other models' (names or paths), into a new FOLDER.

    Of a model and what it was fine-tuned to, the mean usually keeps what the former knew and what the latter learned (WiSE-FT);
    of several fine-tunings of one model it is often better than each (a model soup).
    """
    *models, folder = paths
    if len(models) < 2:
        raise click.UsageError(_("name at least two models, and last the folder to write: seesay models blend A B FOLDER"))
    if weight is not None and len(models) != 2:
        raise click.UsageError(
            _("--weight is for two models, these are {count}; without it all have the same share").format(count=len(models))
        )
    from seesay.checkpoints.blend import blend as write

    shares = [1 / len(models)] * len(models) if weight is None else [1 - weight, weight]
    with working(_("reading, blending, and comparing with torch")):
        done = write(models, shares, Path(folder))
    if as_json:
        sources = [{"model": name, "share": share} for name, share in done.shares]
        echo_json(
            {
                "folder": str(done.folder),
                "space_id": done.space_id,
                "models": sources,
                "notes": list(done.notes),
                "differences": done.differences,
            }
        )
        return 0
    for note in done.notes:
        echo_note(translate(note))
    click.echo(_("wrote {folder}").format(folder=done.folder))
    click.echo(
        _("Compare: seesay eval zero-shot --data TABLE {models}").format(
            models=" ".join(f"--model {name}" for name in (*models, done.folder))
        )
    )
    return 0
