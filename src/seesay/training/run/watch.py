"""Who looks on while a model is trained."""

from seesay.training.data.frozen import Progress
from seesay.training.run.log import Record


class Watch:
    """Who looks on; does nothing by itself."""

    def phase(self, what: str, total: int) -> Progress:
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
