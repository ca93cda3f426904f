"""`seesay models list`: lists the models that can be named."""

from gettext import gettext as _
from typing import TYPE_CHECKING

import click

from seesay.cli.models.facts import catalog_json, folder_megabytes, headline, model_json, parameter_count, speaks
from seesay.cli.options import json_option
from seesay.cli.output import echo_json

if TYPE_CHECKING:
    from seesay.checkpoints.hub.catalog import CatalogModel
    from seesay.model import Model


@click.command("list")
@click.option("--language", metavar="CODE", help="Only models for this language, such as en or zh.")
@click.option("--family", type=click.Choice(["openai", "open_clip", "chinese-clip", "transformers"]), help="Only these.")
@json_option
def list_models(language: str | None, family: str | None, as_json: bool) -> int:
    """List the models that can be named: the bundled one, and published ones, which are fetched at first use."""
    from seesay.checkpoints.hub.catalog import catalog
    from seesay.model import load

    published = [m for m in catalog().models if family in (None, m.family) and (language is None or speaks(m, language))]
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
            "MB is the size of float32 weights. A path of a folder or file works too, and hf-hub:OWNER/NAME: "
            "--model PATH\nMore about one: seesay models info NAME"
        )
    )
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
    megabytes, score = parameter_count(model) * 4 / 1e6, headline(model, language)
    shown = f"{score.value:.1%} {score.task}" if score else _("no published score here")
    click.echo(f"{model.id:62} {megabytes:6.0f} MB  {', '.join(model.languages):12}  {shown}")
