"""`seesay models choose`: shows which published models suit a language, a task and this machine."""

import re
from dataclasses import dataclass
from gettext import gettext as _
from typing import TYPE_CHECKING, Any

import click

from seesay.cli.options import json_option
from seesay.cli.output import echo_json
from seesay.system.memory import memory_bytes

if TYPE_CHECKING:
    from seesay.checkpoints.hub.choice import Choice, Task
    from seesay.engines.speed import Speed

UNITS = {"": 1, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}


@dataclass(frozen=True)
class Estimates:
    """What the estimates rest on: this machine's measured speed, and how far they are off for the bundled model."""

    speed: "Speed"
    bundled_estimated: float
    bundled_measured: float

    def to_json(self) -> dict[str, Any]:
        """As --json prints it."""
        return {
            "cpu": self.speed.cpu,
            "cores": self.speed.cores,
            "multiplications_per_s": round(self.speed.multiplications_per_s),
            "bundled_estimated_images_per_s": round(self.bundled_estimated, 2),
            "bundled_measured_images_per_s": round(self.bundled_measured, 2),
        }


@click.command()
@click.option("--language", default="en", show_default=True, metavar="CODE", help="The language of your texts.")
@click.option(
    "--task", type=click.Choice(["retrieval", "zero-shot"]), default="retrieval", show_default=True, help="What it is for."
)
@click.option("--ram", metavar="SIZE", help="Memory that the model may take, such as 8G. Default: half of this machine's.")
@click.option("--no-torch", is_flag=True, help="Only models that run here without torch: exported by others, or prepared.")
@click.option("--limit", default=8, show_default=True, help="How many to show.")
@click.option("--measure", is_flag=True, help="Measure this machine again.")
@json_option
def choose(language: str, task: "Task", ram: str | None, no_torch: bool, limit: int, measure: bool, as_json: bool) -> int:
    """Say which published model suits a language, a task and this machine, best score first, with estimated memory and speed.

    The scores are the published ones, each with its source (seesay models info NAME). Memory and speed are estimates for
    float32 on this processor: from counted parameters and operations, and from one measurement of half a second, which is kept.
    """
    from seesay.checkpoints.hub import choice
    from seesay.engines.speed import machine_speed

    room_mb = _parse_size(ram) / 1e6 if ram else _half_of_memory_mb()
    speed = machine_speed(again=measure)
    estimates = Estimates(speed, *choice.measured_bundled())
    found = choice.choices(
        language, task, memory_mb=room_mb, multiplications_per_s=speed.multiplications_per_s, no_torch=no_torch
    )[: max(limit, 0)]
    if as_json:
        models = [_json(each) for each in found]
        echo_json(
            {"language": language, "task": task, "ram_mb": round(room_mb), "machine": estimates.to_json(), "models": models}
        )
        return 0
    if not found:
        raise click.UsageError(_none(language, room_mb, no_torch))
    click.echo(
        _("{task} in {language!r}, up to {room_mb:.1f} GB, best published score first. Memory and speed are estimates.").format(
            task=task, language=language, room_mb=room_mb / 1e3
        )
    )
    for each in found:
        _print(each)
    _print_estimates(estimates)
    return 0


def _none(language: str, room_mb: float, no_torch: bool) -> str:
    if no_torch:
        return _(
            "no published model for {language!r} that runs without torch fits in {room_mb:.0f} MB; see: seesay models list"
        ).format(language=language, room_mb=room_mb)
    return _("no published model for {language!r} fits in {room_mb:.0f} MB; see: seesay models list").format(
        language=language, room_mb=room_mb
    )


def _json(choice: "Choice") -> dict[str, Any]:
    from seesay.system.schema import to_json

    return {
        "id": choice.name,
        "score": choice.score and to_json(choice.score),
        "licence": choice.model.licence.name,
        "licence_source": choice.model.licence.source,
        "without_torch": choice.without_torch,
        "estimated_memory_mb": round(choice.memory_mb),
        "estimated_images_per_s": round(choice.images_per_s, 2),
        "estimated_texts_per_s": round(choice.texts_per_s, 2),
    }


def _print(choice: "Choice") -> None:
    score = f"{choice.score.value:6.1%} {choice.score.task}" if choice.score else _("   no published score")
    click.echo(
        _("{name:58} {memory:5.1f} GB  {speed:7.2f} pictures/s  {score}, licence {licence}").format(
            name=choice.name,
            memory=round(choice.memory_mb) / 1e3,
            speed=choice.images_per_s,
            score=score,
            licence=choice.model.licence.name or _("not stated"),
        )
    )


def _print_estimates(estimates: Estimates) -> None:
    click.echo(
        _(
            "Estimated from one measurement here ({cpu}, {cores} cores; --measure repeats it). For the bundled model, which "
            "has 8 bits and is faster, that gives {estimated:.1f} pictures/s; measured now: {measured:.1f}.\n"
            "Smaller and faster: seesay models convert NAME FOLDER --int8 dynamic (a quarter of the size)"
        ).format(
            cpu=estimates.speed.cpu,
            cores=estimates.speed.cores,
            estimated=estimates.bundled_estimated,
            measured=estimates.bundled_measured,
        )
    )


def _parse_size(text: str) -> float:
    """Bytes of "8G" or "500M". Raises UsageError."""
    match = re.fullmatch(r"(\d+\.?\d*|\.\d+)\s*([KMGT]?)i?B?", text.strip(), re.IGNORECASE)
    if match is None:
        raise click.UsageError(_("--ram {text!r} is not a size; write it like 8G or 500M").format(text=text))
    return float(match[1]) * UNITS[match[2].upper()]


def _half_of_memory_mb() -> float:
    memory = memory_bytes()
    return 8e3 if memory is None else memory / 2e6
