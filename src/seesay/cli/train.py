"""`seesay train`: a recipe run to its end, or on from where it was."""

import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from gettext import gettext as _
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from seesay.cli.language import translate
from seesay.cli.options import json_option
from seesay.cli.output import echo_json
from seesay.errors import MissingExtra
from seesay.system.progress import EVERY_S

if TYPE_CHECKING:
    from seesay.training.data.left_out import LeftOut
    from seesay.training.result import Result
    from seesay.training.run.watch import Watch


@click.command()
@click.argument("recipe", type=click.Path(path_type=Path), metavar="RECIPE.toml")
@click.option("--set", "sets", multiple=True, metavar="KEY=VALUE", help="Change the recipe: optimizer.learning_rate=1e-3, ...")
@click.option("--resume", is_flag=True, help="Go on from the newest checkpoint in the run's folder.")
@click.option("--finish", is_flag=True, help="End a stopped run at its newest checkpoint, and write its model.")
@json_option
def train(recipe: Path, sets: tuple[str, ...], resume: bool, finish: bool, as_json: bool) -> int:
    """Train a model as a recipe says (docs/training.md).

    The run's folder gets checkpoints, a log, a page to look at and, at the end, the model: seesay search --model FOLDER/model.
    Ctrl-C stops after the step at hand, with a checkpoint; --resume goes on from there, and after any kill.
    """
    try:
        import torch  # noqa: F401
    except ImportError:
        raise MissingExtra("training", "train") from None
    from seesay.training.recipe import read_recipe
    from seesay.training.trainer import Trainer

    said = read_recipe(recipe, sets)
    with _watching(quiet=as_json or not sys.stderr.isatty()) as watch:
        result = Trainer(said, resume=resume, finish=finish, watch=watch).run()
    if as_json:
        echo_json(_json(result))
    else:
        _print(result)
    return 0 if result.model else 130


def _json(result: "Result") -> dict[str, object]:
    return {
        "folder": str(result.folder),
        "model": str(result.model) if result.model else None,
        "report": str(result.report),
        "step": result.step,
        "steps": result.steps,
        "best": result.best,
        "left_out": _left_out(result.left_out),
        "validation_left_out": _left_out(result.unread),
    }


def _left_out(found: "LeftOut") -> dict[str, object]:
    examples = [{"path": name, "reason": reason} for name, reason in found.examples.items()]
    return {"reasons": dict(found.reasons), "examples": examples}


def _print(result: "Result") -> None:
    if result.model is None:
        click.echo(
            _("stopped after step {step} of {steps}; --resume goes on, --finish writes the model as it is").format(
                step=result.step, steps=result.steps
            )
        )
    if result.best:
        ways = {"text_to_image": _("text to image"), "image_to_text": _("image to text")}
        for way in ("text_to_image", "image_to_text"):
            shares = "  ".join(f"{k} {share:.1%}" for k, share in result.best[way].items())
            click.echo(f"{ways[way]:15}{shares}   ({_('step {step}').format(step=result.best['step'])})")
    for line in (*result.left_out.lines("training"), *result.unread.lines("validation")):
        click.echo(translate(line))
    if result.model:
        click.echo(_("model          {model}").format(model=result.model))
    click.echo(_("report         {report}").format(report=result.report))


@contextmanager
def _watching(quiet: bool) -> "Iterator[Watch]":
    """Bars on a terminal; a line now and then in a log file. Ctrl-C asks to stop; a second one stops at once."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.text import Text

    from seesay.training.run.watch import Watch

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[about]}"),
        TimeElapsedColumn(),
        TextColumn(_("left")),
        TimeRemainingColumn(elapsed_when_finished=False),
    )

    class Shown(Watch):
        def __init__(self, bars: Progress) -> None:
            self.bars, self.asked, self.stepping, self.speed = bars, False, False, 0.0
            self.task = bars.add_task(_("Opening"), total=None, about="")
            self.steps, self.said = 0, time.monotonic()

        def phase(self, what: str, total: int) -> Callable[[int], None]:
            task = self.bars.add_task(_("Encoding {what}").format(what=what), total=total, about="")
            self.line(_("encoding {total} {what}").format(total=total, what=what))
            done = 0

            def more(count: int) -> None:
                nonlocal done
                done += count
                self.bars.advance(task, count)
                if self.due():
                    self.line(f"{done} of {total} {what}")

            return more

        def begins(self, step: int, steps: int) -> None:
            self.stepping, self.steps = True, steps
            self.bars.reset(self.task, description=_("Training"), total=steps, completed=step)

        def step(self, record: dict[str, Any]) -> None:
            now = record["samples_per_s"]
            self.speed = now if not self.speed else 0.9 * self.speed + 0.1 * now
            left_out = sum(record.get("left_out", {}).values())
            about = _("loss {loss:.3f}  {speed:.0f} samples/s").format(loss=record["loss"], speed=self.speed) + (
                _("  {left_out} left out").format(left_out=left_out) if left_out else ""
            )
            self.bars.update(self.task, completed=record["step"], about=about)
            if record["step"] in (1, self.steps) or self.due():
                left = self.bars.tasks[self.task].time_remaining
                self.line(
                    _("step {step} of {steps}: {about}").format(step=record["step"], steps=self.steps, about=about)
                    + (_("  {left:.0f} min left").format(left=left / 60) if left else "")
                )

        def validated(self, record: dict[str, Any]) -> None:
            names = {"text_to_image": _("text to image"), "image_to_text": _("image to text")}
            ways = [f"{name} R@1 {record[way]['R@1']:.1%}" for way, name in names.items()]
            left_out = sum(record.get("validation_left_out", {}).values())
            unread = [_("{left_out} pictures left out").format(left_out=left_out)] if left_out else []
            self.says(_("step {step}: {scores}").format(step=record["step"], scores=", ".join([*ways, *unread])))

        def says(self, note: str) -> None:
            self.bars.console.print(Text(translate(note))) if not quiet else self.line(translate(note))

        def line(self, text: str) -> None:
            if quiet:
                self.said = time.monotonic()
                click.echo(f"seesay: {text}", err=True)

        def due(self) -> bool:
            return time.monotonic() - self.said >= EVERY_S

        def stopping(self) -> bool:
            return self.asked

    # Speed over ten minutes: a step of a large batch takes longer than the half minute that is usual. Disabled, and not on a
    # quiet console: that would take all of stderr.
    with Progress(*columns, console=Console(stderr=True), speed_estimate_period=600, disable=quiet) as bars:
        shown = Shown(bars)

        def ask(number: int, frame: object) -> None:
            if shown.asked or not shown.stepping:
                raise KeyboardInterrupt
            shown.asked = True
            click.echo(_("seesay: stopping after this step (once more: at once)"), err=True)

        before = {name: signal.signal(name, ask) for name in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield shown
        finally:
            for name, handler in before.items():
                signal.signal(name, handler)
