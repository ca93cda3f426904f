"""The state of a run: its step, its position in the data, and its measurements so far."""

from dataclasses import dataclass, field

from seesay.training.data.skipped import SkippedSamples
from seesay.training.run.log import Record
from seesay.training.validation import Search


@dataclass
class RunState:
    """step: steps done, of `steps`. position: in the stream of samples. best: the log record of the best validation, if any.
    validated: the step of the last validation. stale: how many in a row were no better than the best. searches: example
    searches of the last. skipped: skipped training samples."""

    steps: int
    step: int = 0
    position: int = 0
    best: Record | None = None
    validated: int | None = None
    stale: int = 0
    searches: list[Search] = field(default_factory=list)
    skipped: SkippedSamples = field(default_factory=SkippedSamples)
