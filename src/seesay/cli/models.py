"""`seesay models`: which models there are, what they are good for, which one suits; and other people's checkpoints."""

import os
import re
from gettext import gettext as _
from typing import TYPE_CHECKING, Any

import click

from seesay.cli.checkpoints import convert, inspect
from seesay.cli.commands import Commands
from seesay.cli.output import echo_json, json_option, short

if TYPE_CHECKING:
    from seesay.checkpoints.hub.catalog import CatalogModel
    from seesay.checkpoints.hub.inventory import CacheEntry
    from seesay.model import Model

HEADLINES = {"en": ("ImageNet-1k zero-shot",), "zh": ("ImageNet-CN zero-shot", "MUGE text to image")}
UNITS = {"": 1, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}


@click.group(cls=Commands)
def models() -> None:
    """List models, show what they are, choose one, look into checkpoints and convert them."""


models.add_command(inspect)
models.add_command(convert)


@models.command("list")
@click.option("--language", metavar="CODE", help="Only models for this language, such as en or zh.")
@click.option("--family", type=click.Choice(["openai", "open_clip", "chinese-clip"]), help="Only these.")
@json_option
def list_models(language: str | None, family: str | None, as_json: bool) -> int:
    """List the models that can be named: the bundled one, and published ones, which are fetched at first use."""
    from seesay.checkpoints.hub.catalog import catalog
    from seesay.model import load

    found = [m for m in catalog().models if family in (None, m.family) and (language is None or _speaks(m, language))]
    bundled = load()
    if as_json:
        own = [_facts(bundled)] if family is None and language in (None, *bundled.config.languages) else []
        echo_json({"models": [*own, *map(_entry_facts, found)]})
        return 0
    if family is None:
        languages = ", ".join(bundled.config.languages)
        click.echo(
            _("{bundled:62} {bundled2:6.0f} MB  {languages:12}  comes with SeeSay, {licence}").format(
                bundled="bundled", bundled2=_megabytes(bundled), languages=languages, licence=bundled.config.licence
            )
        )
    for model in found:
        size = _parameters(model) * 4 / 1e6
        headline = _headline(model, language or model.languages[0])
        click.echo(f"{model.id:62} {size:6.0f} MB  {', '.join(model.languages):12}  {headline}")
    click.echo(
        _(
            "MB is the size of float32 weights. A path of a folder or file works too, and hf-hub:OWNER/NAME: "
            "--model PATH\nMore about one: seesay models info NAME"
        )
    )
    return 0


@models.command()
@click.argument("model", default="bundled")
@json_option
def info(model: str, as_json: bool) -> int:
    """Show a model's card: what it is, its scores and where they were published, its limits.

    Nothing is fetched for the models of the catalogue.
    """
    from seesay.checkpoints.hub.catalog import find
    from seesay.checkpoints.hub.locate import locate
    from seesay.model import load
    from seesay.models.config import is_model_folder

    here = model != "bundled" and os.path.exists(model)
    entry = None if here else find(model)
    if here and not is_model_folder(locate(model)[0]):
        raise click.UsageError(
            _("{model} is a checkpoint, which has no card; what it is says: seesay models inspect {model}").format(model=model)
        )
    if entry is not None:
        if as_json:
            echo_json(_entry_facts(entry))
        else:
            _print_entry(entry)
        return 0
    opened = load(model)
    if as_json:
        from seesay.system.schema import to_json

        echo_json({**_facts(opened), "card": to_json(opened.card) if _has_card(opened) else None})
    else:
        _print_card(opened)
    return 0


@models.command()
@json_option
def cached(as_json: bool) -> int:
    """List the models that are kept on this machine and what they take: fetched ones, checkpoints prepared for fast starts."""
    from seesay.checkpoints.hub.inventory import cache_entries as kept

    _echo_cached(kept(), as_json, _("in all"))
    return 0


@models.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@json_option
def remove(names: tuple[str, ...], as_json: bool) -> int:
    """Remove models from this machine's caches, by their names there (seesay models cached).

    What is needed again is fetched and prepared again. A repository's files lie in the hub's cache, which other programs share.
    """
    from seesay.checkpoints.hub.inventory import remove as delete

    _echo_cached(delete(*names), as_json, _("removed"))
    return 0


def _echo_cached(found: "list[CacheEntry]", as_json: bool, total: str) -> None:
    size_mb = sum(one.size_bytes for one in found) / 1e6
    if as_json:
        listed = [
            {"name": one.names[0], "kind": one.kind, "path": os.fspath(one.path), "megabytes": round(one.size_bytes / 1e6, 1)}
            for one in found
        ]
        echo_json({"models": listed, "megabytes": round(size_mb, 1)})
        return
    for one in found:
        click.echo(f"{one.names[0]:62} {one.size_bytes / 1e6:8.1f} MB  {one.kind:10}  {short(os.fspath(one.path))}")
    click.echo(f"{total:62} {size_mb:8.1f} MB")


@models.command()
@json_option
def architectures(as_json: bool) -> int:
    """List the architectures that can be named for weights which come without a configuration."""
    from seesay.checkpoints.hub.catalog import catalog
    from seesay.system.schema import to_json

    known = catalog().architectures
    if as_json:
        echo_json({"architectures": {name: to_json(found) for name, found in known.items()}})
        return 0
    from seesay.models.size import parameters

    for name, found in known.items():
        image, text = parameters(found.image, found.dim), parameters(found.text, found.dim)
        click.echo(
            _("{name:46} {px:4} px  {dim:5} dimensions  image {image} {image_m:.0f} M, text {text} {text_m:.0f} M").format(
                name=name,
                px=found.image.image_px,
                dim=found.dim,
                image=found.image.kind,
                image_m=image / 1e6,
                text=found.text.kind,
                text_m=text / 1e6,
            )
        )
    return 0


@models.command()
@click.option("--language", default="en", show_default=True, metavar="CODE", help="The language of your texts.")
@click.option("--ram", metavar="SIZE", help="Memory that the model may take, such as 8G. Default: half of this machine's.")
@click.option("--limit", default=8, show_default=True, help="How many to show.")
@json_option
def choose(language: str, ram: str | None, limit: int, as_json: bool) -> int:
    """Say which published model suits a language and this machine, best first, with its estimated memory and speed.

    Memory and speed are estimates for float32 on this processor: from counted parameters and operations, and from a
    half-second measurement of its matrix product. The scores are the published ones.
    """
    from seesay.checkpoints.hub.catalog import architecture, catalog
    from seesay.models import size as estimate

    room_mb = _size(ram) / 1e6 if ram else _half_of_memory_mb()
    per_s = estimate.multiplications_per_s() * estimate.EFFICIENCY
    rows: list[dict[str, Any]] = []
    for model in catalog().models:
        memory = estimate.memory_mb(_parameters(model))
        if not _speaks(model, language) or memory > room_mb:
            continue
        found = architecture(model.architecture)
        score = _score(model, language)
        rows.append(
            {
                "id": model.id,
                "score": score and {"task": score[0], "value": score[1]},
                "licence": model.licence.name,
                "estimated_memory_mb": round(memory),
                "estimated_images_per_s": round(per_s / estimate.operations(found.image, found.dim), 2),
                "estimated_texts_per_s": round(per_s / estimate.operations(found.text, found.dim), 2),
            }
        )
    own = HEADLINES.get(language, HEADLINES["en"])  # figures in another language's terms say less, and come after
    rows.sort(
        key=lambda row: (row["score"] is None, row["score"] and (row["score"]["task"] not in own, -row["score"]["value"]))
    )
    rows = rows[: max(limit, 0)]
    if as_json:
        echo_json({"language": language, "ram_mb": round(room_mb), "models": rows})
        return 0
    if not rows:
        raise click.UsageError(
            _("no published model for {language!r} fits in {room_mb:.0f} MB; see: seesay models list").format(
                language=language, room_mb=room_mb
            )
        )
    click.echo(
        _("For {language!r} in {room_mb:.1f} GB, best published score first. Memory and speed are estimates.").format(
            language=language, room_mb=room_mb / 1e3
        )
    )
    for row in rows:
        published = row["score"]
        shown = f"{published['value']:6.1%} {published['task']}" if published else _("   no published score")
        memory, speed = row["estimated_memory_mb"] / 1e3, row["estimated_images_per_s"]
        click.echo(
            _("{row:62} {memory:5.1f} GB  {speed:7.2f} pictures/s  {shown}").format(
                row=row["id"], memory=memory, speed=speed, shown=shown
            )
        )
    click.echo(_("Smaller and faster: seesay models convert NAME FOLDER --int8 dynamic (a quarter of the size)"))
    return 0


def _speaks(model: "CatalogModel", language: str) -> bool:
    return language in model.languages or "multilingual" in model.languages


def _score(model: "CatalogModel", language: str) -> tuple[str, float] | None:
    for task in (*HEADLINES.get(language, ()), *HEADLINES["en"]):
        for score in model.scores:
            if score.task == task:
                return score.task, score.value
    return None


def _headline(model: "CatalogModel", language: str) -> str:
    score = _score(model, language)
    return f"{score[1]:.1%} {score[0]}" if score else _("no published score here")


def _parameters(model: "CatalogModel") -> int:
    from seesay.checkpoints.hub.catalog import architecture
    from seesay.models.size import parameters

    found = architecture(model.architecture)
    return parameters(found.image, found.dim) + parameters(found.text, found.dim)


def _size(text: str) -> float:
    match = re.fullmatch(r"([\d.]+)\s*([KMGT]?)i?B?", text.strip(), re.IGNORECASE)
    if match is None:
        raise click.UsageError(_("--ram {text!r} is not a size; write it like 8G or 500M").format(text=text))
    return float(match[1]) * UNITS[match[2].upper()]


def _half_of_memory_mb() -> float:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2e6
    except (AttributeError, ValueError, OSError):  # Windows
        return 8e3


def _print_entry(entry: "CatalogModel") -> None:
    click.echo(click.style(entry.id, bold=True) + f"  {entry.architecture}, {entry.activation}")
    click.echo(_("also called {aliases}").format(aliases=", ".join(entry.aliases)))
    click.echo(
        _("{entry:.0f} million parameters, languages {languages}").format(
            entry=_parameters(entry) / 1e6, languages=", ".join(entry.languages)
        )
    )
    licence = (
        f"{entry.licence.name} ({entry.licence.source})" if entry.licence.name else _("not stated by any source known here")
    )
    seen = _(", {samples_seen} samples seen").format(samples_seen=entry.samples_seen) if entry.samples_seen else ""
    click.echo(
        _("licence {licence}\ntrained on {trained_on}{seen}").format(licence=licence, trained_on=entry.trained_on, seen=seen)
    )
    source = entry.source.url or _("{repo} on the hub").format(repo=entry.source.repo)
    click.echo(_("from {source}\n\nPublished scores:").format(source=source))
    for score in entry.scores:
        click.echo(f"  {score.value:6.1%}  {score.task}, {score.metric} ({score.source})")
    click.echo(_("\nUse it: --model {id}").format(id=entry.id))


def _has_card(model: "Model") -> bool:
    return model.folder is not None and (model.folder / "card.json").is_file()


def _print_card(model: "Model") -> None:
    click.echo(
        click.style(f"{model.name}", bold=True)
        + _("  {dim} dimensions, {model:.0f} MB").format(dim=model.dim, model=_megabytes(model))
    )
    identity = _("space {space_id}\nbuild {build_id}\nlicence {licence}\n").format(
        space_id=model.space_id, build_id=model.build_id, licence=model.config.licence
    )
    if not _has_card(model):
        click.echo(
            _(
                "{identity}\nNo card.json beside it says what it was trained on, how good it is, and what its limits are."
            ).format(identity=identity)
        )
        return
    card = model.card
    click.echo(f"{card.summary}\n")
    for title, sentences in ((_("Good at:"), card.strengths), (_("Bad at:"), card.limits)):
        if sentences:
            click.echo("\n  - ".join([title, *sentences]) + "\n")
    click.echo(_("{identity}\nTraining: {training}").format(identity=identity, training=card.training))
    if card.sources:
        click.echo(_("Sources:"))
    for source in card.sources:
        click.echo(f"  {source.name} ({source.licence}), {source.package}")
    shown = {
        _("Measured"): card.scores,
        _("Measured, of variants"): card.variants,
        _("Published, of larger models, for comparison"): card.published,
    }
    for title, scores in shown.items():
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


def _entry_facts(entry: "CatalogModel") -> dict[str, object]:
    from seesay.system.schema import to_json

    return {"name": entry.id, "parameters": _parameters(entry), **to_json(entry)}


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
        "logit_scale": round(model.scale, 4),
    }


def _megabytes(model: "Model") -> float:
    files = model.folder.iterdir() if model.folder else ()
    return sum(file.stat().st_size for file in files if file.is_file()) / 1e6
