"""`seesay plan`: says what training a model would take: operations, days, machines, storage, network."""

import re
from dataclasses import dataclass
from gettext import gettext as _
from typing import TYPE_CHECKING

import click

from seesay.cli.language import translate
from seesay.cli.options import json_option, record
from seesay.cli.output import echo_json, echo_note
from seesay.cli.progress import working

if TYPE_CHECKING:
    from seesay.training.plan.estimate import Plan
    from seesay.training.plan.machine import Job, Machine
    from seesay.training.plan.runs import Comparison

UNITS = {"": 1, "K": 10**3, "M": 10**6, "B": 10**9, "G": 10**9}
STORED = ("pictures", "shards", "embeddings", "index")


@dataclass(frozen=True)
class Run:
    """The run that the options describe."""

    pairs: int | None
    model: str | None
    gpus: str | None
    epochs: float
    batch: int
    checkpointing: bool
    picture_px: int
    utilisation: float | None


def _pairs(context: click.Context, parameter: click.Parameter, value: str | None) -> int | None:
    """The number that a text such as 400M or 12,000 says. Raises BadParameter."""
    if value is None:
        return None
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMBG]?)", value.strip().replace(",", "").replace("_", ""), re.IGNORECASE)
    pairs = round(float(match[1]) * UNITS[match[2].upper()]) if match else 0
    if pairs < 1:
        message = _("expected a number of pairs above 0, such as 30000, 12M or 2.3B, got {value!r}.").format(value=value)
        raise click.BadParameter(message)
    return pairs


run_options = record(
    "run",
    Run,
    (
        click.option("--pairs", metavar="NUMBER", callback=_pairs, help="Pictures with texts to train on: 30000, 12M, 2.3B."),
        click.option("--model", metavar="NAME", help="An architecture (seesay models architectures) or a published model."),
        click.option("--gpus", metavar="KIND:NUMBER", help="Accelerators, such as a100:256 or rtx-4090."),
        click.option("--epochs", default=32.0, show_default=True, help="How often each pair is seen."),
        click.option("--batch", default=32_768, show_default=True, help="Pairs of one step, over all accelerators."),
        click.option("--checkpointing", is_flag=True, help="With gradient checkpointing: less memory, a third more work."),
        click.option("--picture-px", default=256, show_default=True, help="Shorter side of the stored pictures."),
        click.option(
            "--utilisation",
            type=float,
            metavar="SHARE",
            help="Share of the accelerators' peak, such as 0.3, if you know yours. Default: as of published runs.",
        ),
    ),
)


@click.command()
@run_options
@click.option("--laptop", is_flag=True, help="Measure this machine instead, and say what it can do and how long that takes.")
@click.option("--published", is_flag=True, help="Compare the estimate with published runs.")
@json_option
def plan(run: Run, laptop: bool, published: bool, as_json: bool) -> int:
    """Say what training would take: operations, days, machines, storage and network, before anything is bought.

    \b
      seesay plan --pairs 400M --model ViT-B-32 --gpus a100:256
      seesay plan --laptop
      seesay plan --published

    Operations are counted from the model's actual towers. Days rest on the share of the peak that published runs reached,
    which varies: eight of ten lie within the range that is printed.
    """
    if laptop and published:
        raise click.UsageError(_("--laptop and --published exclude each other"))
    if published:
        return _compare(as_json)
    if laptop:
        return _laptop(run, as_json)
    missing = [name for name in ("pairs", "model", "gpus") if getattr(run, name) is None]
    if missing:
        message = _("a plan needs {missing}; for this machine write --laptop, for published runs --published")
        raise click.UsageError(message.format(missing=", ".join(f"--{name}" for name in missing)))
    return _plan(run, as_json)


def _plan(run: Run, as_json: bool) -> int:
    from seesay.training.plan.accelerators import read_fleet
    from seesay.training.plan.estimate import plan as estimate

    assert run.pairs is not None
    assert run.model is not None
    assert run.gpus is not None
    found = estimate(
        run.model,
        run.pairs,
        read_fleet(run.gpus),
        epochs=run.epochs,
        batch=run.batch,
        checkpointing=run.checkpointing,
        picture_px=run.picture_px,
        utilisation=run.utilisation,
    )
    if as_json:
        stored = {name: round(getattr(found.storage, name)) for name in STORED}
        echo_json({"flops": found.flops, "days": found.days, "storage_bytes": stored, "machines": found.fleet.machines})
    else:
        _print_plan(found)
    return 0


def _print_plan(found: "Plan") -> None:
    towers = found.towers
    click.echo(
        _("{model}: {millions:.0f} million weights, {px} px, {gflops:.1f} GFLOP for a picture with its text, forward").format(
            model=towers.name, millions=towers.parameters / 1e6, px=towers.image_px, gflops=towers.forward_flops / 1e9
        )
    )
    _table([*_work_rows(found), *_machine_rows(found), *_storage_rows(found)])
    accelerator = found.fleet.accelerator
    if found.state_bytes > accelerator.memory_gb * 1e9:
        echo_note(
            _("weights, gradients and AdamW do not fit into one {kind}; share them out (FSDP)").format(kind=accelerator.name)
        )
    if found.batch < found.fleet.count:
        echo_note(_("a batch of {batch:,} leaves some of the accelerators without work").format(batch=found.batch))


def _work_rows(found: "Plan") -> list[tuple[str, str]]:
    fleet = found.fleet
    days = _("{days} on {count} x {kind}").format(days=_duration(found.days), count=fleet.count, kind=fleet.accelerator.name)
    if found.days_low < found.days_high:
        days += _("; eight of ten published runs: {low} to {high} (seesay plan --published)").format(
            low=_duration(found.days_low), high=_duration(found.days_high)
        )
    work = _("{flops:.3g} FLOP: {pairs:,} pairs x {epochs:g} epochs, {times} times the forward pass").format(
        flops=found.flops, pairs=found.pairs, epochs=found.epochs, times=4 if found.checkpointing else 3
    )
    assumed = _("{share:.0%} of the peak of {tflops:.0f} TFLOP/s each, so {rate:,.0f} pairs/s in all").format(
        share=found.utilisation, tflops=fleet.accelerator.peak_flops / 1e12, rate=found.pairs_per_s
    )
    return [(_("work"), work), (_("time"), days), (_("assumed"), assumed)]


def _machine_rows(found: "Plan") -> list[tuple[str, str]]:
    fleet, kind = found.fleet, found.fleet.accelerator
    machines = _("{machines}, with up to {per_machine} {kind} each").format(
        machines=fleet.machines, per_machine=kind.per_machine, kind=kind.name
    )
    steps = _("{steps:,} of {batch:,} pairs, {each:,.0f} for each {kind}").format(
        steps=found.steps, batch=found.batch, each=found.batch / fleet.count, kind=kind.name
    )
    memory = _("{state} of {gb} GB for weights, gradients and AdamW on each; the rest is for activations").format(
        state=_bytes(found.state_bytes), gb=kind.memory_gb
    )
    network = _("{rate}/s to feed it, {each}/s for each machine").format(
        rate=_bytes(found.feed_bytes_per_s), each=_bytes(found.feed_bytes_per_s / fleet.machines)
    )
    return [(_("machines"), machines), (_("steps"), steps), (_("memory"), memory), (_("network"), network)]


def _storage_rows(found: "Plan") -> list[tuple[str, str]]:
    stored = found.storage
    return [
        (_("pictures"), _("{size} as JPEG, {px} px").format(size=_bytes(stored.pictures), px=found.picture_px)),
        (_("shards"), _("{size} as tar files with captions").format(size=_bytes(stored.shards))),
        (_("embeddings"), _("{size}, pictures and texts, float16").format(size=_bytes(stored.embeddings))),
        (_("index"), _("{size}, of the pictures, 8 bits").format(size=_bytes(stored.index))),
    ]


def _table(rows: list[tuple[str, ...]]) -> None:
    """Prints rows of cells; every column but the last is padded to its widest cell, where a Chinese character is two wide."""
    from rich.cells import cell_len

    widths = [max(cell_len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
    for row in rows:
        cells = [cell + " " * (width - cell_len(cell)) for cell, width in zip(row, widths, strict=False)]
        click.echo("  ".join([*cells, row[-1]]))


def _laptop(run: Run, as_json: bool) -> int:
    from seesay.training.plan.computation import towers
    from seesay.training.plan.machine import jobs, measure

    if (run.pairs is None) != (run.model is None):
        raise click.UsageError(_("--laptop takes --pairs and --model together, or neither"))
    own = None if run.pairs is None or run.model is None else (towers(run.model).name, run.pairs, run.epochs)
    with working(_("Measuring this machine")):
        machine = measure()
    listed = jobs(machine, own)
    if as_json:
        from seesay.system.schema import to_json

        echo_json({"machine": to_json(machine), "jobs": [to_json(job) for job in listed]})
    else:
        _print_machine(machine, listed)
    return 0


def _print_machine(machine: "Machine", listed: "list[Job]") -> None:
    memory = _(", {gb:.0f} GB").format(gb=machine.memory_gb) if machine.memory_gb else ""
    click.echo(_("{cpu}, {cores} cores{memory}").format(cpu=machine.cpu, cores=machine.cores, memory=memory))
    click.echo(_("running models: {gflops:.0f} GFLOP/s").format(gflops=machine.forward_flops_per_s / 1e9))
    if machine.training_flops_per_s is None:
        click.echo(_("training: not here, torch is not installed (pip install 'seesay[train]')"))
    else:
        click.echo(
            _("training: {gflops:.0f} GFLOP/s on {device}, measured just now, for when nothing else runs").format(
                gflops=machine.training_flops_per_s / 1e9, device=machine.device
            )
        )
    click.echo()
    _table(
        [
            (
                translate(job.name),
                job.model,
                _("{pairs:,} x {epochs:g}").format(pairs=job.pairs, epochs=job.epochs),
                _("needs torch") if job.days is None else _duration(job.days),
            )
            for job in listed
        ]
    )


def _compare(as_json: bool) -> int:
    from seesay.training.plan.runs import comparisons, law, spread

    found = comparisons()
    if as_json:
        echo_json({"at_one_gflop": law().at_one_gflop, "exponent": law().exponent, "runs": [_run_json(one) for one in found]})
        return 0
    sources = list(dict.fromkeys(one.run.source for one in found))
    header = (_("run"), _("on"), _("days"), _("of the peak"), _("estimated"), _("error"), _("source"))
    _table([header, *((*_cells(one), f"[{sources.index(one.run.source) + 1}]") for one in found)])
    low, high = spread()
    click.echo(
        _(
            "\nEach run is estimated from the others: share = {base:.1%} x (GFLOP of a pair, forward) ^ {power:.2f}.\n"
            "Eight of ten took between {low:.2f} and {high:.2f} times the estimate. A rate is taken over the pairs of its run."
        ).format(base=law().at_one_gflop, power=law().exponent, low=low, high=high)
    )
    for number, source in enumerate(sources, 1):
        click.echo(f"[{number}] {source}")
    return 0


def _run_json(one: "Comparison") -> dict[str, object]:
    from seesay.system.schema import to_json

    estimate = {"utilisation": one.run.utilisation, "estimated_days": one.estimated_days, "error": one.error}
    fields = to_json(one.run)
    assert isinstance(fields, dict)
    return {**fields, **estimate}


def _cells(one: "Comparison") -> tuple[str, ...]:
    run = one.run
    unknown = _("not published")
    return (
        run.name,
        f"{run.count} x {run.accelerator}",
        unknown if run.days is None else f"{run.days:.2f}",
        unknown if run.utilisation is None else f"{run.utilisation:.1%}",
        "-" if one.estimated_days is None else f"{one.estimated_days:.2f}",
        "-" if one.error is None else f"{one.error:+.0%}",
    )


def _duration(days: float) -> str:
    """A time for people: minutes, hours, days or years."""
    if days < 1 / 24:
        return _("{minutes:.0f} min").format(minutes=max(1, days * 24 * 60))
    if days < 2:
        return _("{hours:.1f} hours").format(hours=days * 24)
    if days < 730:
        return _("{days:.1f} days").format(days=days)
    return _("{years:,.0f} years").format(years=days / 365)


def _bytes(size: float) -> str:
    """A size for people, in decimal units."""
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} PB"
