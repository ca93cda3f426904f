"""`seesay learn`: teaches a name by pictures of what it is the name of."""

from gettext import gettext as _
from gettext import ngettext
from typing import TYPE_CHECKING

import click

from seesay.cli.options import gallery_option, json_option, model_option, open_gallery, open_model
from seesay.cli.output import echo_error, echo_failures, echo_json, echo_skipped, failures_json
from seesay.cli.pictures import Pictures
from seesay.cli.progress import progress_bar
from seesay.errors import UnreadableImage
from seesay.library.example import Box, Example
from seesay.library.indexing.report import Failure

if TYPE_CHECKING:
    from seesay.library.gallery import Learned
    from seesay.model import Model

FEW = 20  # pictures; fewer get no bar


def _box(context: click.Context, parameter: click.Parameter, value: str | None) -> Box | None:
    """x0,y0,x1,y1 as numbers. Raises BadParameter."""
    if value is None:
        return None
    try:
        x0, y0, x1, y1 = map(float, value.split(","))
    except ValueError:
        message = _("expected four numbers such as 10,20,110,220, got {value!r}.").format(value=value)
        raise click.BadParameter(message) from None
    return x0, y0, x1, y1


@click.command()
@click.argument("name")
@click.argument("images", nargs=-1, required=True, metavar="IMAGE|FOLDER...", type=click.Path())
@click.option("--box", metavar="X0,Y0,X1,Y1", callback=_box, help="Only this part of the picture, in pixels; one picture.")
@gallery_option
@model_option
@json_option
def learn(name: str, images: tuple[str, ...], box: Box | None, gallery: str | None, model: str | None, as_json: bool) -> int:
    """Teach a name by pictures (files, folders or URLs) of a thing, a pet, a place; one is enough, more make it surer.

    Nothing is trained: the pictures' vectors are kept in a gallery, with which seesay identify compares others. A name that is
    there already gets these pictures in addition; a picture that it has is counted once.
    """
    pictures = Pictures.given(images)
    count = max(len(images), len(pictures.paths))  # a folder holds many
    if box is not None and count > 1:
        raise click.UsageError(_("--box is a part of one picture; got {count} pictures.").format(count=count))
    from seesay.library.gallery import checked_name

    checked_name(name)
    opened = open_model(model)
    file = open_gallery(opened, gallery)
    file.counts()  # a gallery of another model is refused before anything is encoded
    examples, failed = _examples(opened, pictures, box, quiet=as_json)
    learned = file.learn(name, examples) if examples else None
    if as_json:
        facts = {"name": name, "new": False, "added": 0, "known": 0, "pictures": 0} if learned is None else vars(learned)
        echo_json({"gallery": str(file.file), "space_id": opened.space_id, **facts, "failed": failures_json(failed)})
    elif learned is not None:
        _print(learned)
    echo_skipped(pictures.skipped)
    echo_failures(failed)
    if learned is None:
        echo_error(_("no picture could be read; nothing was learned"))
        return 2
    return 1 if failed else 0


def _examples(model: "Model", pictures: Pictures, box: Box | None, *, quiet: bool) -> tuple[list[Example], list[Failure]]:
    from seesay.library.example import read_example

    examples: list[Example] = []
    failed, paths = list(pictures.failed), pictures.paths
    with progress_bar(_("Learning"), quiet=quiet or len(paths) < FEW, first=_("Learning")) as progress:
        for done, source in enumerate(paths, start=1):
            try:
                examples.append(read_example(model, source, box))
            except UnreadableImage as fault:
                failed.append(Failure(source, fault.reason))
            if progress is not None:
                progress(done, len(paths))
    return examples, failed


def _print(learned: "Learned") -> None:
    pictures = ngettext("{count} picture", "{count} pictures", learned.pictures).format(count=learned.pictures)
    if learned.new:
        click.echo(_("{name}: learned from {pictures}").format(name=learned.name, pictures=pictures))
        echo_error(_("next: seesay identify IMAGE; or seesay identify --library, which tags photos, then seesay search NAME"))
    else:
        click.echo(
            _("{name}: there already; {added} added, {pictures} now").format(
                name=learned.name, added=learned.added, pictures=pictures
            )
        )
    if learned.known:
        known = ngettext(
            "{count} picture was known already and is counted once",
            "{count} pictures were known already and are counted once",
            learned.known,
        )
        click.echo("  " + known.format(count=learned.known))
