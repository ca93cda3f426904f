"""The interface through which a run reports its progress and is stopped."""

from seesay.training.data.frozen_features import Advance
from seesay.training.run.log import Record


class Observer:
    """Receives the progress of a run; this one ignores it. Override what is of interest."""

    def on_phase(self, name: str, total: int) -> Advance:
        """Work on `total` items begins, before the first step; the returned function gets the number of newly finished ones."""
        return lambda count: None

    def on_start(self, step: int, steps: int) -> None:
        """Training starts after `step` of `steps`."""

    def on_step(self, record: Record) -> None:
        """A step ended; `record` is its line of the log."""

    def on_validation(self, record: Record) -> None:
        """A validation ended; `record` is its line of the log."""

    def note(self, message: str) -> None:
        """Something that is no error but should be known."""

    def should_stop(self) -> bool:
        """Asked after every step: whether to stop now, with a checkpoint."""
        return False
