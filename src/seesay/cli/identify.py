"""`seesay identify`: says which of the learned names fits each picture, or that none does; tags a library by name."""

from gettext import gettext as _
from typing import TYPE_CHECKING

import click
import numpy as np

from seesay.cli.options import gallery_option, json_option, model_option, open_gallery, open_model
from seesay.cli.output import bar, echo_error, echo_failures, echo_json, echo_note, echo_skipped, failures_json, short
from seesay.cli.pictures import Pictures
from seesay.cli.progress import progress_bar, working
from seesay.library.indexing.report import Failure
from seesay.tasks.few_shot import FALSE_ACCEPTS, LIBRARY_FALSE_ACCEPTS, Calibration, Gallery, Identity, calibration
from seesay.tasks.few_shot import identify as identify_vectors

if TYPE_CHECKING:
    from seesay.library.gallery import GalleryFile
    from seesay.library.tags import Tagged
    from seesay.model import Model

OWN = ""  # --library without a value
CANDIDATES = 5  # shown for a picture
SHOWN_PICTURES = 5  # of each name
FEW = 20  # pictures; fewer get no bar


@click.command()
@click.argument("images", nargs=-1, metavar="[IMAGE|FOLDER]...", type=click.Path())
@click.option(
    "--library",
    metavar="[PATH]",
    is_flag=False,
    flag_value=OWN,
    help="Tag the library's pictures by name instead; without PATH: your own library.",
)
@click.option("--dry-run", is_flag=True, help="With --library: only say what it would tag.")
@click.option(
    "--false-accepts",
    metavar="P",
    type=float,
    help="The share of pictures of something else that may get a name: lower is stricter, 1 always names the nearest. "
    "Default: 0.05; with --library 0.02.",
)
@click.option("--words", is_flag=True, help="The names are words for what they show: compare pictures with these words, too.")
@gallery_option
@model_option
@json_option
def identify(
    images: tuple[str, ...],
    library: str | None,
    dry_run: bool,
    false_accepts: float | None,
    words: bool,
    gallery: str | None,
    model: str | None,
    as_json: bool,
) -> int:
    """Say which learned name fits each picture (file, folder or URL), or none, with the nearest names.

    A score is a mean cosine: to the name's pictures on average, and to the nearest of them. From which score on a name is given
    follows from --false-accepts, and from how alike the names are or, where they are few, from everyday pictures.

    With --library: pictures of the library that a name fits are tagged with it, which seesay search finds as --tag NAME and
    name:NAME. Tags given by hand stay.
    """
    if not images and library is None:
        raise click.UsageError(_("Give pictures, or --library to tag those of the library."))
    if images and library is not None:
        raise click.UsageError(_("Give pictures or --library, not both."))
    if dry_run and library is None:
        raise click.UsageError(_("--dry-run is for --library: pictures alone are never tagged."))
    if false_accepts is None:
        false_accepts = FALSE_ACCEPTS if library is None else LIBRARY_FALSE_ACCEPTS
    opened = open_model(model)
    file = open_gallery(opened, gallery, library or None)
    taught, calibrated = _taught(opened, file, words=words)
    threshold = calibrated.threshold(false_accepts)
    facts = {
        "gallery": str(file.file),
        "space_id": opened.space_id,
        "false_accepts": false_accepts,
        "threshold": round(threshold, 4),
    }
    if library is not None:
        tagged = _tag(opened, library or None, taught, calibrated, false_accepts, dry_run=dry_run, quiet=as_json)
        code = _print_tagged(tagged, facts, dry_run, as_json)
        _note_single(taught, tagged, false_accepts)
        return code
    pictures = Pictures.given(images)
    identities, failed = _identities(opened, pictures, taught, calibrated, false_accepts, quiet=as_json)
    if as_json:
        results = [{"path": path, **_json(identity)} for path, identity in identities]
        echo_json({**facts, "results": results, "failed": failures_json(failed)})
    else:
        for path, identity in identities:
            _print(path, identity)
    echo_skipped(pictures.skipped)
    echo_failures(failed)
    return 1 if failed else 0


def _taught(model: "Model", file: "GalleryFile", *, words: bool) -> tuple[Gallery, Calibration]:
    """The gallery, with the texts of its names where they are words, and the scores of strangers in it."""
    from dataclasses import replace

    from seesay.library.strangers import stranger_vectors
    from seesay.tasks.prompts import label_embeddings

    gallery = file.read()
    if words:
        gallery = replace(gallery, texts=label_embeddings(model, gallery.names))
    with working(_("Comparing the names")):
        return gallery, calibration(gallery, stranger_vectors(model))


def _identities(
    model: "Model", pictures: Pictures, gallery: Gallery, calibrated: Calibration, false_accepts: float, *, quiet: bool
) -> tuple[list[tuple[str, Identity]], list[Failure]]:
    found: list[tuple[str, Identity]] = []
    failed, paths = list(pictures.failed), pictures.paths
    with progress_bar(_("Identifying"), quiet=quiet or len(paths) < FEW, first=_("Identifying")) as progress:
        for done, (path, vector) in enumerate(zip(paths, model.each_image(paths), strict=True), start=1):
            if isinstance(vector, np.ndarray):
                (one,) = identify_vectors(gallery, vector[None], calibrated, false_accepts=false_accepts, most=CANDIDATES)
                found.append((path, one))
            else:
                failed.append(Failure(path, vector.reason))
            if progress is not None:
                progress(done, len(paths))
    return found, failed


def _tag(
    model: "Model",
    library: str | None,
    gallery: Gallery,
    calibrated: Calibration,
    false_accepts: float,
    *,
    dry_run: bool,
    quiet: bool,
) -> "dict[str, list[Tagged]]":
    from seesay.library import Library

    with Library(library, model) as opened, progress_bar(_("Identifying"), quiet=quiet, first=_("Identifying")) as progress:
        return opened.tags.by_gallery(gallery, calibrated, false_accepts=false_accepts, dry_run=dry_run, progress=progress)


def _json(identity: Identity) -> dict[str, object]:
    candidates = [{"name": name, "score": round(score, 4)} for name, score in identity.candidates]
    return {"name": identity.name, "score": round(identity.score, 4), "candidates": candidates}


def _print(path: str, identity: Identity) -> None:
    """The name and how sure it is, and the nearest names."""
    verdict = _("unknown") if identity.name is None else identity.name
    sure = _("{chance:.1%} of other pictures score as high").format(chance=identity.chance)
    click.echo(f"{click.style(short(path), bold=True)}: {click.style(verdict, bold=True)}  ({sure})")
    for name, score in identity.candidates:
        click.echo(f"  {score:6.3f}  {bar(score, 30)}  {name}")
    if identity.name is not None and identity.tied:
        click.echo("  " + _("as near: {names}; the first that was taught is given").format(names=", ".join(identity.tied)))


def _print_tagged(pictures_by_name: "dict[str, list[Tagged]]", facts: dict[str, object], dry_run: bool, as_json: bool) -> int:
    """Shows the pictures that were tagged, the surest first. Returns the exit code."""
    if as_json:
        document = {
            name: [{"path": each.path, "probability": each.probability} for each in pictures]
            for name, pictures in pictures_by_name.items()
        }
        echo_json({**facts, "dry_run": dry_run, "tagged": document})
        return 0
    for name, pictures in pictures_by_name.items():
        click.echo(f"{len(pictures):7,}  {click.style(name, bold=True)}")
        for each in pictures[:SHOWN_PICTURES]:
            click.echo(f"           {short(each.path)}")
        if len(pictures) > SHOWN_PICTURES:
            click.echo("           " + _("... and {count} more; --json lists all").format(count=len(pictures) - SHOWN_PICTURES))
    if dry_run:
        echo_error(_("nothing was tagged; without --dry-run it will be"))
    return 0


def _note_single(gallery: Gallery, tagged: "dict[str, list[Tagged]]", false_accepts: float) -> None:
    """Says which names that tag pictures were learned from a single one, which cannot say what the name is the name of."""
    counts = np.bincount(gallery.owners, minlength=len(gallery.names))
    single = [name for name, count in zip(gallery.names, counts.tolist(), strict=True) if count == 1 and tagged.get(name)]
    if single:
        echo_note(
            _(
                "learned from one picture alone: {names}; look at what they tagged. Teach them more pictures, or be stricter "
                "than --false-accepts {share:g}"
            ).format(names=", ".join(single[:SHOWN_PICTURES]), share=false_accepts)
        )
