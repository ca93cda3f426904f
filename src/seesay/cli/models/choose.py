"""`seesay models choose`: ranks the published models that suit a language and this machine."""

import os
import re
from dataclasses import dataclass
from gettext import gettext as _
from typing import Any

import click

from seesay.cli.models.facts import HEADLINES, Headline, headline, parameter_count, speaks
from seesay.cli.options import json_option
from seesay.cli.output import echo_json

UNITS = {"": 1, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}


@dataclass(frozen=True)
class Suitable:
    """A published model that fits, with its estimated memory and speed on this machine in float32."""

    name: str
    score: Headline | None
    licence: str | None
    memory_mb: float
    images_per_s: float
    texts_per_s: float

    def to_json(self) -> dict[str, Any]:
        """The model as --json prints it."""
        return {
            "id": self.name,
            "score": self.score and self.score._asdict(),
            "licence": self.licence,
            "estimated_memory_mb": round(self.memory_mb),
            "estimated_images_per_s": round(self.images_per_s, 2),
            "estimated_texts_per_s": round(self.texts_per_s, 2),
        }


@click.command()
@click.option("--language", default="en", show_default=True, metavar="CODE", help="The language of your texts.")
@click.option("--ram", metavar="SIZE", help="Memory that the model may take, such as 8G. Default: half of this machine's.")
@click.option("--limit", default=8, show_default=True, help="How many to show.")
@json_option
def choose(language: str, ram: str | None, limit: int, as_json: bool) -> int:
    """Say which published model suits a language and this machine, best first, with its estimated memory and speed.

    Memory and speed are estimates for float32 on this processor: from counted parameters and operations, and from a
    half-second measurement of its matrix product. The scores are the published ones.
    """
    room_mb = _parse_size(ram) / 1e6 if ram else _half_of_memory_mb()
    models = _suitable(language, room_mb)[: max(limit, 0)]
    if as_json:
        echo_json({"language": language, "ram_mb": round(room_mb), "models": [model.to_json() for model in models]})
        return 0
    if not models:
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
    for model in models:
        _print(model)
    click.echo(_("Smaller and faster: seesay models convert NAME FOLDER --int8 dynamic (a quarter of the size)"))
    return 0


def _suitable(language: str, room_mb: float) -> list[Suitable]:
    """The models of a language that fit into the memory. Best scores first, those on the language's own tasks before others."""
    from seesay.checkpoints.hub.catalog import architecture, catalog
    from seesay.models import size

    per_s = size.multiplications_per_s() * size.EFFICIENCY
    models = []
    for model in catalog().models:
        memory_mb = size.memory_mb(parameter_count(model))
        if not speaks(model, language) or memory_mb > room_mb:
            continue
        towers = architecture(model.architecture)
        models.append(
            Suitable(
                name=model.id,
                score=headline(model, language),
                licence=model.licence.name,
                memory_mb=memory_mb,
                images_per_s=per_s / size.operations(towers.image, towers.dim),
                texts_per_s=per_s / size.operations(towers.text, towers.dim),
            )
        )
    own_tasks = HEADLINES.get(language, HEADLINES["en"])
    models.sort(
        key=lambda model: (True,) if model.score is None else (False, model.score.task not in own_tasks, -model.score.value)
    )
    return models


def _print(model: Suitable) -> None:
    score = f"{model.score.value:6.1%} {model.score.task}" if model.score else _("   no published score")
    click.echo(
        _("{name:62} {memory:5.1f} GB  {speed:7.2f} pictures/s  {score}").format(
            name=model.name, memory=round(model.memory_mb) / 1e3, speed=model.images_per_s, score=score
        )
    )


def _parse_size(text: str) -> float:
    """Bytes of "8G" or "500M". Raises UsageError."""
    match = re.fullmatch(r"([\d.]+)\s*([KMGT]?)i?B?", text.strip(), re.IGNORECASE)
    if match is None:
        raise click.UsageError(_("--ram {text!r} is not a size; write it like 8G or 500M").format(text=text))
    return float(match[1]) * UNITS[match[2].upper()]


def _half_of_memory_mb() -> float:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2e6
    except (AttributeError, ValueError, OSError):  # Windows
        return 8e3
