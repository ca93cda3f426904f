"""Who looks on while a model is trained, and what there is at the end."""

from dataclasses import dataclass
from pathlib import Path

from seesay.training.frozen import Watch as Done
from seesay.training.left_out import LeftOut
from seesay.training.log import Record


class Watch:
    """Who looks on; does nothing by itself."""

    def phase(self, what: str, total: int) -> Done:
        """Work before the first step, so many of it; what is returned is told how many more are done."""
        return lambda count: None

    def begins(self, step: int, steps: int) -> None: ...

    def step(self, record: Record) -> None:
        """After every step."""

    def validated(self, record: Record) -> None: ...

    def says(self, note: str) -> None:
        """What is no error and should be known."""

    def stopping(self) -> bool:
        """Whether to stop after this step, with a checkpoint."""
        return False


@dataclass(frozen=True)
class Result:
    """folder: of the run. model: the SeeSay folder, None where the run was stopped before its end. report: a page.
    left_out: samples of the training data; unread: pictures of the validation data."""

    folder: Path
    model: Path | None
    report: Path
    step: int
    steps: int
    best: Record | None
    left_out: LeftOut
    unread: LeftOut
