"""`seesay models info`: shows a model's card, or the published facts about a model of the catalogue."""

import os
from gettext import gettext as _
from typing import TYPE_CHECKING

import click

from seesay.cli.download import asked
from seesay.cli.models.facts import catalog_json, echo_finds, echo_pin, folder_megabytes, graph_files, has_card, model_json
from seesay.cli.options import json_option
from seesay.cli.output import echo_json

if TYPE_CHECKING:
    from seesay.checkpoints.hub.catalog import CatalogModel
    from seesay.model import Model
    from seesay.models.card import Card


@click.command()
@click.argument("model", default="bundled")
@json_option
def info(model: str, as_json: bool) -> int:
    """Show a model's card: what it is, its scores and where they were published, its limits, what its name is pinned to.

    Nothing is fetched for the models of the catalogue.
    """
    from seesay.checkpoints.hub.catalog import find
    from seesay.checkpoints.hub.locate import find_source, locate
    from seesay.checkpoints.hub.pull import pin_of
    from seesay.model import load
    from seesay.models.config import is_model_folder

    is_path = model != "bundled" and os.path.exists(model)
    if is_path and not is_model_folder(locate(model)[0]):
        raise click.UsageError(
            _("{model} is a checkpoint, which has no card; what it is says: seesay models inspect {model}").format(model=model)
        )
    source, published = find_source(model)[0], None if is_path else find(model)
    if published is not None:
        pinned = None if isinstance(source, os.PathLike) else pin_of(source)
        if as_json:
            echo_json({**catalog_json(published), "pinned": pinned})
        else:
            _print_published(published)
            echo_pin(pinned)
            click.echo(_("\nUse it: --model {id}").format(id=published.id))
        return 0
    opened = asked(lambda download_gb: load(model, encodes=False, download_gb=download_gb))
    pinned = None if isinstance(source, os.PathLike) else pin_of(source)  # of what was fetched just now
    if as_json:
        echo_json({**_json(opened), "pinned": pinned})
    else:
        _print_model(opened)
        echo_pin(pinned)
    return 0


def _json(model: "Model") -> dict[str, object]:
    from seesay.system.schema import to_json

    return {**model_json(model), "card": to_json(model.card) if has_card(model) else None}


def _print_published(model: "CatalogModel") -> None:
    from seesay.checkpoints.hub.graphs import graphs_of

    click.echo(click.style(model.id, bold=True) + f"  {model.architecture}, {model.activation}")
    click.echo(_("also called {aliases}").format(aliases=", ".join(model.aliases)))
    click.echo(
        _("{millions:.0f} million parameters, languages {languages}").format(
            millions=model.parameters / 1e6, languages=", ".join(model.languages)
        )
    )
    licence = (
        f"{model.licence.name} ({model.licence.source})" if model.licence.name else _("not stated by any source known here")
    )
    seen = _(", {samples_seen} samples seen").format(samples_seen=model.samples_seen) if model.samples_seen else ""
    click.echo(
        _("licence {licence}\ntrained on {trained_on}{seen}").format(licence=licence, trained_on=model.trained_on, seen=seen)
    )
    source = model.source.url or _("{repo} on the hub").format(repo=model.source.repo)
    click.echo(_("from {source}\n\nPublished scores:").format(source=source))
    for score in model.scores:
        click.echo(f"  {score.value:6.1%}  {score.task}, {score.metric} ({score.source})")
    for repo in graphs_of(model):
        click.echo(_("As ONNX graphs, without torch, with vectors of their own: --model {repo}").format(repo=repo))


def _print_model(model: "Model") -> None:
    """Prints a model's identity, and its card if it has one."""
    click.echo(
        click.style(f"{model.name}", bold=True)
        + _("  {dim} dimensions, {megabytes:.0f} MB").format(dim=model.dim, megabytes=folder_megabytes(model))
    )
    identity = _("space {space_id}\nbuild {build_id}\nlicence {licence}\n").format(
        space_id=model.space_id, build_id=model.build_id, licence=model.config.licence
    )
    if graphs := graph_files(model):
        identity += _("graphs {graphs}, as others exported them: no torch, no training\n").format(graphs=", ".join(graphs))
    image = model.config.image
    if image is not None and image.finds is not None:
        echo_finds(image.finds, model.folder or model.name)
    if has_card(model):
        _print_card(model.card, identity)
    else:
        click.echo(
            _(
                "{identity}\nNo card.json beside it says what it was trained on, how good it is, and what its limits are."
            ).format(identity=identity)
        )


def _print_card(card: "Card", identity: str) -> None:
    click.echo(f"{card.summary}\n")
    for title, sentences in ((_("Good at:"), card.strengths), (_("Bad at:"), card.limits)):
        if sentences:
            click.echo("\n  - ".join([title, *sentences]) + "\n")
    click.echo(_("{identity}\nTraining: {training}").format(identity=identity, training=card.training))
    if card.sources:
        click.echo(_("Sources:"))
    for source in card.sources:
        click.echo(f"  {source.name} ({source.licence}), {source.package}")
    tables = {
        _("Measured"): card.scores,
        _("Measured, of variants"): card.variants,
        _("Published, of larger models, for comparison"): card.published,
    }
    for title, scores in tables.items():
        if scores:
            click.echo(f"\n{title}:")
        for score in scores:
            click.echo(f"  {score.value:6.1%}  {score.task}, {score.metric} ({score.note})")
    if card.fidelity:
        click.echo(_("\nStored narrowly, against float32:"))
    for part in card.fidelity:
        click.echo(
            _("  {part}: {stored_as}, {megabytes} MB, cosine mean {cosine_mean:.5f}, least {cosine_min:.5f} ({note})").format(
                part=part.part,
                stored_as=part.stored_as,
                megabytes=part.megabytes,
                cosine_mean=part.cosine_mean,
                cosine_min=part.cosine_min,
                note=part.note,
            )
        )
