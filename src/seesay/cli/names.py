"""`seesay names`: lists and forgets the names of a gallery."""

from gettext import gettext as _
from gettext import ngettext

import click

from seesay.cli.commands import Commands
from seesay.cli.options import gallery_option, json_option, model_option, open_gallery, open_model
from seesay.cli.output import echo_error, echo_json


@click.group(cls=Commands)
def names() -> None:
    """List and forget the names that seesay learn has taught."""


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
@gallery_option
@model_option
@json_option
def forget(names: tuple[str, ...], gallery: str | None, model: str | None, as_json: bool) -> int:
    """Forget names and what was learned of them. Tags that pictures of the library have by then stay."""
    opened = open_model(model)
    file = open_gallery(opened, gallery)
    forgotten = file.forget(*names)
    if as_json:
        pictures = [{"name": name, "pictures": count} for name, count in forgotten.items()]
        echo_json({"gallery": str(file.file), "space_id": opened.space_id, "forgotten": pictures})
        return 0
    for name, count in forgotten.items():
        pictures_of = ngettext("{count} picture", "{count} pictures", count).format(count=count)
        click.echo(_("{name}: forgotten, with {pictures}").format(name=name, pictures=pictures_of))
    echo_error(_("tags that photos have by these names stay; seesay tag --label NAME --remove takes them away"))
    return 0
