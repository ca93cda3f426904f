"""`seesay models`: which models there are, and what they are good for."""

import os
from typing import TYPE_CHECKING

import click

from seesay.cli.output import echo_json, json_option

if TYPE_CHECKING:
    from seesay.model import Model


@click.group()
def models() -> None:
    """List models, or show a model's card."""


@models.command("list")
@json_option
def list_models(as_json: bool) -> int:
    """List the models that can be named."""
    from seesay.model import load

    opened = [load()]
    if as_json:
        echo_json({"models": [_facts(model) for model in opened]})
        return 0
    for model in opened:
        languages = ", ".join(model.config.languages)
        click.echo(
            f"{model.name:12} {_megabytes(model):5.0f} MB  {model.dim} dimensions  {languages:8}  {model.config.licence}"
        )
    click.echo("A folder of your own works too: --model FOLDER")
    return 0


@models.command()
@click.argument("model", default="bundled")
@json_option
def info(model: str, as_json: bool) -> int:
    """Show a model's card: what it is, its measured scores, its limits."""
    from seesay.model import load
    from seesay.strict import to_json

    opened = load(model)
    card = opened.card
    if as_json:
        echo_json({**_facts(opened), "card": to_json(card)})
        return 0
    click.echo(click.style(f"{opened.name}", bold=True) + f"  {opened.dim} dimensions, {_megabytes(opened):.0f} MB")
    click.echo(f"space {opened.space_id}\nbuild {opened.build_id}\nlicence {card.licence}\n\n{card.summary}\n")
    click.echo(f"Training: {card.training}\nSources:")
    for source in card.sources:
        click.echo(f"  {source.name} ({source.licence}), {source.package}")
    for title, scores in (("Measured", card.scores), ("Published, of larger models, for comparison", card.published)):
        click.echo(f"\n{title}:")
        for score in scores:
            click.echo(f"  {score.value:6.1%}  {score.task}, {score.metric} ({score.note})")
    click.echo("\nStored narrowly, against float32:")
    for part in card.fidelity:
        click.echo(
            f"  {part.part}: {part.stored_as}, {part.megabytes} MB, cosine mean {part.cosine_mean:.5f}, "
            f"least {part.cosine_min:.5f} ({part.note})"
        )
    click.echo("\nLimits:")
    for limit in card.limits:
        click.echo(f"  - {limit}")
    return 0


def _facts(model: "Model") -> dict[str, object]:
    return {
        "name": model.name,
        "folder": os.fspath(model.folder) if model.folder else None,
        "megabytes": round(_megabytes(model), 1),
        "dim": model.dim,
        "space_id": model.space_id,
        "build_id": model.build_id,
        "languages": list(model.config.languages),
        "licence": model.config.licence,
        "image_px": model.config.image_spec and model.config.image_spec.size_px,
        "context_length": model.config.tokenizer_spec and model.config.tokenizer_spec.context_length,
        "logit_scale": round(model.logit_scale, 4),
    }


def _megabytes(model: "Model") -> float:
    files = model.folder.iterdir() if model.folder else ()
    return sum(file.stat().st_size for file in files if file.is_file()) / 1e6
