"""`seesay names`: lists and forgets the names of a gallery."""

import os
from collections.abc import Sequence
from gettext import gettext as _
from gettext import ngettext
from pathlib import Path
from typing import TYPE_CHECKING

import click

from seesay.cli.commands import Commands
from seesay.cli.options import gallery_option, json_option, model_option, open_gallery, open_model
from seesay.cli.output import echo_error, echo_json
from seesay.library.example import digest_of

if TYPE_CHECKING:
    from seesay.library.gallery import GalleryFile


@click.group(cls=Commands, invoke_without_command=True)
@click.pass_context
def names(context: click.Context) -> int:
    """List and forget the names that seesay learn has taught. Alone: list."""
    if context.invoked_subcommand is not None:
        return 0
    code: int = context.invoke(list_names, gallery=None, model=None, as_json=False)
    return code


@names.command("list")
@gallery_option
@model_option
@json_option
def list_names(gallery: str | None, model: str | None, as_json: bool) -> int:
    """List the names of a gallery, and how many pictures each was learned from."""
    opened = open_model(model)
    file = open_gallery(opened, gallery)
    counts = file.counts()
    if as_json:
        pictures = [{"name": name, "pictures": count} for name, count in counts.items()]
        echo_json({"gallery": str(file.file), "space_id": opened.space_id, "names": pictures})
        return 0
    for name, count in counts.items():
        click.echo(f"{count:7,}  {name}")
    if not counts:
        echo_error(_("no names yet; teach one with: seesay learn NAME IMAGE..."))
    return 0


@names.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.option(
    "--picture",
    "pictures",
    multiple=True,
    metavar="FILE",
    type=click.Path(),
    help="Forget only this picture of one name, and boxes in it, because it was taught by mistake. Repeatable.",
)
@gallery_option
@model_option
@json_option
def forget(names: tuple[str, ...], pictures: tuple[str, ...], gallery: str | None, model: str | None, as_json: bool) -> int:
    """Forget names and what was learned of them. Tags that pictures of the library have by then stay."""
    if pictures and len(names) > 1:
        raise click.UsageError(_("--picture is a picture of one name, got {count} names.").format(count=len(names)))
    opened = open_model(model)
    file = open_gallery(opened, gallery)
    if pictures:
        return _forget_pictures(file, opened.space_id, names[0], pictures, as_json=as_json)
    forgotten = file.forget(*names)
    if as_json:
        counts = [{"name": name, "pictures": count} for name, count in forgotten.items()]
        echo_json({"gallery": str(file.file), "space_id": opened.space_id, "forgotten": counts})
        return 0
    for name, count in forgotten.items():
        pictures_of = ngettext("{count} picture", "{count} pictures", count).format(count=count)
        click.echo(_("{name}: forgotten, with {pictures}").format(name=name, pictures=pictures_of))
    echo_error(_("tags that photos have by these names stay; seesay tag --label NAME --remove takes them away"))
    return 0


def _forget_pictures(file: "GalleryFile", space_id: str, name: str, pictures: Sequence[str], *, as_json: bool) -> int:
    digests = {digest_of(Path(each).read_bytes()) for each in pictures if os.path.isfile(each)}
    done = file.forget_pictures(name, pictures, digests)
    if as_json:
        forgotten = {"name": done.name, "pictures": done.forgotten, "left": done.pictures}
        echo_json({"gallery": str(file.file), "space_id": space_id, "forgotten": [forgotten]})
        return 0
    count = ngettext("{count} picture", "{count} pictures", done.forgotten).format(count=done.forgotten)
    if done.pictures:
        click.echo(_("{name}: {pictures} forgotten, {left} left").format(name=done.name, pictures=count, left=done.pictures))
    else:
        click.echo(_("{name}: forgotten, with {pictures}").format(name=done.name, pictures=count))
    return 0
