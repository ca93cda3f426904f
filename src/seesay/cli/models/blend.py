"""`seesay models blend`: writes a model whose weights are the weighted mean of others'."""

from collections.abc import Sequence
from gettext import gettext as _
from pathlib import Path
from typing import TYPE_CHECKING

import click

from seesay.cli.language import translate
from seesay.cli.options import json_option
from seesay.cli.output import echo_json, echo_note
from seesay.cli.progress import named_progress, working

if TYPE_CHECKING:
    from seesay.checkpoints.blend import Blend
    from seesay.evaluation.blend_weight import BlendWeight
    from seesay.evaluation.soup import Soup


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="A B... FOLDER")
@click.option(
    "--weight",
    type=click.FloatRange(0, 1),
    metavar="W",
    help="The share of B in a blend of two: 0 is A, 1 is B. Default: every model has the same share.",
)
@click.option(
    "--held-out",
    metavar="TABLE",
    type=click.Path(path_type=Path),
    help="The least share of B that has 95 % of what B gains over A on these pictures: a table of image and label.",
)
@click.option(
    "--greedy",
    metavar="TABLE",
    type=click.Path(path_type=Path),
    help="Of the models only those whose mean is most accurate on these pictures: a table of image and label.",
)
@json_option
def blend(paths: tuple[str, ...], weight: float | None, held_out: Path | None, greedy: Path | None, as_json: bool) -> int:
    """Write a model whose every weight is the mean of other models' (names or paths), into a new FOLDER.

    Of a model and what it was fine-tuned to, the mean usually keeps what the former knew and what the latter learned (WiSE-FT);
    of several fine-tunings of one model it is often better than each (a model soup).
    """
    *models, folder = paths
    _check(models, weight, held_out, greedy)
    from seesay.checkpoints.blend import blend as write

    soup = None if greedy is None else _chosen(models, greedy, Path(folder), quiet=as_json)
    found = None if held_out is None else _weighed(models, held_out, Path(folder), quiet=as_json)
    weight = weight if found is None else found.weight
    if soup is not None:
        models = list(soup.kept)
    if len(models) == 1:  # the best alone: with a share of nothing of itself
        models, weight = models * 2, 0.0
    shares = [1 / len(models)] * len(models) if weight is None else [1 - weight, weight]
    with working(_("reading, blending, and comparing with torch")):
        done = write(models, shares, Path(folder))
    if as_json:
        echo_json(_json(done, soup, found))
    else:
        _print(done, soup, found)
    return 0


def _check(models: Sequence[str], weight: float | None, held_out: Path | None, greedy: Path | None) -> None:
    if len(models) < 2:
        raise click.UsageError(_("name at least two models, and last the folder to write: seesay models blend A B FOLDER"))
    if weight is not None and len(models) != 2:
        raise click.UsageError(
            _("--weight is for two models, these are {count}; without it all have the same share").format(count=len(models))
        )
    if held_out is not None and len(models) != 2:
        raise click.UsageError(_("--held-out is for two models, these are {count}").format(count=len(models)))
    if sum(choice is not None for choice in (weight, held_out, greedy)) > 1:
        raise click.UsageError(_("Choose one of --weight, --held-out and --greedy."))


def _json(done: "Blend", soup: "Soup | None", found: "BlendWeight | None") -> dict[str, object]:
    return {
        "folder": str(done.folder),
        "space_id": done.space_id,
        "models": [{"model": name, "share": share} for name, share in done.shares if share],
        **({} if soup is None else {"accuracy": round(soup.accuracy, 6), "alone": soup.alone}),
        **({} if found is None else {"weights": _accuracies(found)}),
        "notes": list(done.notes),
        "differences": done.differences,
    }


def _accuracies(found: "BlendWeight") -> list[dict[str, float]]:
    return [{"weight": weight, "accuracy": round(accuracy, 6)} for weight, accuracy in found.accuracies.items()]


def _print(done: "Blend", soup: "Soup | None", found: "BlendWeight | None") -> None:
    for note in done.notes:
        echo_note(translate(note))
    if soup is not None:
        for name, accuracy in sorted(soup.alone.items(), key=lambda pair: -pair[1]):
            click.echo(f"  {accuracy:6.1%}  {'+' if name in soup.kept else ' '} {name}")
        click.echo(_("  {accuracy:6.1%}  the mean of those with +").format(accuracy=soup.accuracy))
    for tried, accuracy in ({} if found is None else found.accuracies).items():
        click.echo(f"  {accuracy:6.1%}  {'+' if found is not None and tried == found.weight else ' '} {tried:g}")
    click.echo(_("wrote {folder}").format(folder=done.folder))
    compared = " ".join(f"--model {name}" for name in dict.fromkeys([*(name for name, _share in done.shares), done.folder]))
    click.echo(_("Compare: seesay eval zero-shot --data TABLE {models}").format(models=compared))


def _weighed(models: Sequence[str], table: Path, folder: Path, *, quiet: bool) -> "BlendWeight":
    """Raises InputError for a folder that exists, before the long work."""
    from seesay.checkpoints.convert import check_new
    from seesay.evaluation.blend_weight import least_weight
    from seesay.evaluation.datasets import read_labels
    from seesay.tasks.prompts import TEMPLATES

    data = read_labels(table)
    check_new(folder)
    with named_progress(quiet=quiet) as progress:
        return least_weight(models[0], models[1], data, TEMPLATES, progress)


def _chosen(models: Sequence[str], table: Path, folder: Path, *, quiet: bool) -> "Soup":
    """Raises InputError for a folder that exists, before the long work."""
    from seesay.checkpoints.convert import check_new
    from seesay.evaluation.datasets import read_labels
    from seesay.evaluation.soup import greedy_soup
    from seesay.tasks.prompts import TEMPLATES

    data = read_labels(table)
    check_new(folder)
    with named_progress(quiet=quiet) as progress:
        return greedy_soup(models, data, TEMPLATES, progress)
