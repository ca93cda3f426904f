"""`seesay models list`: lists the models that can be named."""

from gettext import gettext as _
from typing import TYPE_CHECKING

import click

from seesay.cli.models.facts import catalog_json, folder_megabytes, model_json
from seesay.cli.models.local import echo_entries
from seesay.cli.options import json_option
from seesay.cli.output import echo_json

if TYPE_CHECKING:
    from seesay.checkpoints.hub.catalog import CatalogModel
    from seesay.model import Model


@click.command("list")
@click.option("--language", metavar="CODE", help="Only models for this language, such as en or zh.")
@click.option("--family", metavar="NAME", help="Only these, such as openai, open_clip or chinese-clip.")
@click.option("--local", is_flag=True, help="What is kept on this machine instead, and what it takes.")
@json_option
def list_models(language: str | None, family: str | None, local: bool, as_json: bool) -> int:
    """List the models that can be named: the bundled one, and published ones, which are fetched at first use.

    With --local: fetched files and repositories, with the commits that they are pinned to; checkpoints prepared for fast
    starts; and what interrupted downloads and conversions left.
    """
    if local:
        return _list_local(language, family, as_json)
    from seesay.checkpoints.hub.catalog import catalog, families
    from seesay.model import load

    if family not in (None, *families()):
        raise click.UsageError(
            _("--family {family!r} is none of {families}").format(family=family, families=", ".join(families()))
        )

    published = [m for m in catalog().models if family in (None, m.family) and (language is None or m.speaks(language))]
    bundled = load()
    if as_json:
        own = [model_json(bundled)] if family is None and language in (None, *bundled.config.languages) else []
        echo_json({"models": [*own, *map(catalog_json, published)]})
        return 0
    if family is None:
        _print_bundled(bundled)
    for model in published:
        _print(model, language or model.languages[0])
    click.echo(
        _(
            "MB is the size of float32 weights. A path of a folder or file works too, and hf:OWNER/NAME on the hub: "
            "--model PATH\nMore about one: seesay models info NAME"
        )
    )
    return 0


def _list_local(language: str | None, family: str | None, as_json: bool) -> int:
    from seesay.checkpoints.hub import inventory

    if language is not None or family is not None:
        raise click.UsageError(_("--local lists everything on this machine; leave out --language and --family"))
    echo_entries(inventory.cache_entries(), as_json)
    return 0


def _print_bundled(model: "Model") -> None:
    click.echo(
        _("{bundled:62} {megabytes:6.0f} MB  {languages:12}  comes with SeeSay, {licence}").format(
            bundled="bundled",
            megabytes=folder_megabytes(model),
            languages=", ".join(model.config.languages),
            licence=model.config.licence,
        )
    )


def _print(model: "CatalogModel", language: str) -> None:
    from seesay.checkpoints.hub.choice import headline

    megabytes, score = model.parameters * 4 / 1e6, headline(model, language)
    shown = f"{score.value:.1%} {score.task}" if score else _("no published score here")
    click.echo(f"{model.id:62} {megabytes:6.0f} MB  {', '.join(model.languages):12}  {shown}")
