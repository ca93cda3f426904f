"""The display of `seesay train`: bars on a terminal, lines elsewhere, and Ctrl-C as the request to stop."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from gettext import gettext as _
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.text import Text

from seesay.cli.language import translate
from seesay.system.progress import EVERY_S
from seesay.training.run.observer import Observer


def first_scores(record: dict[str, Any]) -> dict[str, str]:
    """Of a validation's record, by way of measuring: its first score, such as "R@1 12.3%"."""
    names = {"text_to_image": _("text to image"), "image_to_text": _("image to text"), "classification": _("classification")}
    firsts = {name: next(iter(record[way].items())) for way, name in names.items() if way in record}
    return {name: f"{k} {share:.1%}" for name, (k, share) in firsts.items()}


@contextmanager
def training_display(quiet: bool, silent: bool = False) -> Iterator["TrainingDisplay"]:
    """An observer for a run. quiet: lines now and then on stderr instead of bars. silent: nothing, since another process
    speaks. A second Ctrl-C stops at once."""
    with _bars(quiet or silent) as bars:
        display = TrainingDisplay(bars, quiet or silent, silent)
        with _stop_on_signals(display):
            yield display


class TrainingDisplay(Observer):
    """Shows phases, steps, losses, speed and time left."""

    def __init__(self, bars: Progress, quiet: bool, silent: bool = False) -> None:
        self.bars, self.quiet, self.silent = bars, quiet, silent
        self.started, self.stop_requested = False, False
        self.steps, self.speed = 0, 0.0
        self._task = bars.add_task(_("Opening"), total=None, about="")
        self._last_line = time.monotonic()

    def on_phase(self, name: str, total: int) -> Callable[[int], None]:
        """Adds a bar for the phase."""
        task = self.bars.add_task(_("Encoding {what}").format(what=name), total=total, about="")
        self._line(_("encoding {total} {what}").format(total=total, what=name))
        done = 0

        def advance(count: int) -> None:
            nonlocal done
            done += count
            self.bars.advance(task, count)
            if self._line_is_due():
                self._line(f"{done} of {total} {name}")

        return advance

    def on_start(self, step: int, steps: int) -> None:
        """Shows the bar of the steps; from now on a signal stops after a step."""
        self.started, self.steps = True, steps
        self.bars.reset(self._task, description=_("Training"), total=steps, completed=step)

    def on_step(self, record: dict[str, Any]) -> None:
        """Shows loss and speed, a moving average of samples per second."""
        rate = record["samples_per_s"]
        self.speed = rate if not self.speed else 0.9 * self.speed + 0.1 * rate
        left_out = sum(record.get("left_out", {}).values())
        about = _("loss {loss:.3f}  {speed:.0f} samples/s").format(loss=record["loss"], speed=self.speed) + (
            _("  {left_out} left out").format(left_out=left_out) if left_out else ""
        )
        self.bars.update(self._task, completed=record["step"], about=about)
        if record["step"] in (1, self.steps) or self._line_is_due():
            left = self.bars.tasks[self._task].time_remaining
            self._line(
                _("step {step} of {steps}: {about}").format(step=record["step"], steps=self.steps, about=about)
                + (_("  {left:.0f} min left").format(left=left / 60) if left else "")
            )

    def on_validation(self, record: dict[str, Any]) -> None:
        """Shows both recalls at 1, or top-1."""
        ways = [f"{name} {score}" for name, score in first_scores(record).items()]
        left_out = sum(record.get("validation_left_out", {}).values())
        unread = [_("{left_out} pictures left out").format(left_out=left_out)] if left_out else []
        self.note(_("step {step}: {scores}").format(step=record["step"], scores=", ".join([*ways, *unread])))

    def note(self, message: str) -> None:
        """Prints above the bars."""
        self._line(translate(message)) if self.quiet else self.bars.console.print(Text(translate(message)))

    def should_stop(self) -> bool:
        """Whether a signal came."""
        return self.stop_requested

    def _line(self, text: str) -> None:
        if self.quiet and not self.silent:
            self._last_line = time.monotonic()
            click.echo(f"seesay: {text}", err=True)

    def _line_is_due(self) -> bool:
        return time.monotonic() - self._last_line >= EVERY_S


def _bars(quiet: bool) -> Progress:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[about]}"),
        TimeElapsedColumn(),
        TextColumn(_("left")),
        TimeRemainingColumn(elapsed_when_finished=False),
    )
    # Speed over ten minutes: a step of a large batch takes longer than the usual half minute. Disabled if quiet, rather than on
    # a quiet console, which would swallow all of stderr.
    return Progress(*columns, console=Console(stderr=True), speed_estimate_period=600, disable=quiet)


@contextmanager
def _stop_on_signals(display: TrainingDisplay) -> Iterator[None]:
    """Ctrl-C and SIGTERM request a stop; before the first step, and the second time, they interrupt at once."""

    def request_stop(number: int, frame: object) -> None:
        if display.stop_requested or not display.started:
            raise KeyboardInterrupt
        display.stop_requested = True
        if not display.silent:
            click.echo(_("seesay: stopping after this step (once more: at once)"), err=True)

    handlers = {name: signal.signal(name, request_stop) for name in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for name, handler in handlers.items():
            signal.signal(name, handler)
