"""`IndexReport`: the counts and failures of an index run."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Failure:
    """One file (or folder) that could not be read, or only in part.

    path: with surrogate escapes where the name is not UTF-8. known: an earlier run reported the same failure of the same file.
    """

    path: str
    reason: str
    known: bool = False


@dataclass
class IndexReport:
    """Counts of files after a run of `Library.index`.

    encoded: read and encoded. reused: new, changed or renamed files whose content was stored already, so only hashed.
    unchanged: same size and time as before, not read. removed: no longer on disk. reread: pictures that an older version had
    read, read again with the same pixels. texts: lines encoded or reused from lists of texts.
    regions: pictures whose windows were encoded.
    failed: cannot be read, this time or before; `new_failures` are those that no earlier run has reported. noted: pictures that
    were read although something is wrong with them. missing: indexed folders that are missing now (an unmounted disk); their
    pictures are kept. skipped: files that look like pictures or videos and are not read, by kind
    (`images.decoding.formats.ADVICE` says what can be done about each).
    seconds: of the run. stages: thread-seconds spent reading, decoding, encoding and storing.
    """

    encoded: int = 0
    reused: int = 0
    reread: int = 0
    unchanged: int = 0
    removed: int = 0
    texts: int = 0
    regions: int = 0
    seconds: float = 0.0
    failed: list[Failure] = field(default_factory=list)
    noted: list[Failure] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    stages: dict[str, float] = field(default_factory=dict)

    @property
    def new_failures(self) -> list[Failure]:
        """Failures that no earlier run has reported."""
        return [failure for failure in self.failed if not failure.known]
