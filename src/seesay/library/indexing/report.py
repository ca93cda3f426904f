"""What an index run did."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Failure:
    """One file (or folder) that could not be read, or not wholly. `path` may hold surrogate escapes where the name is not
    UTF-8. known: an earlier run reported the same of the same file."""

    path: str
    reason: str
    known: bool = False


@dataclass
class IndexReport:
    """Counts of files after a run of `Library.index`.

    encoded: read and encoded now. reused: new, changed or renamed files whose content was known, so only hashed.
    unchanged: same size and time as before, not read. removed: no longer on disk. failed: cannot be read, this time or before;
    `new_failures` are those that no earlier run has told.
    missing: indexed folders that are not there now (an unmounted disk); their pictures are kept.
    skipped: what looks like a picture or a video and is not read, by kind (`images.formats.ADVICE` has what can be done about
    each). reread: pictures that an older version had read, read again and found to look the same. noted: pictures that were
    read now although something is wrong with them.
    texts: lines encoded or reused from lists of texts. stages: thread-seconds spent reading, decoding, encoding and storing.
    """

    encoded: int = 0
    reused: int = 0
    reread: int = 0
    unchanged: int = 0
    removed: int = 0
    texts: int = 0
    seconds: float = 0.0
    failed: list[Failure] = field(default_factory=list)
    noted: list[Failure] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    stages: dict[str, float] = field(default_factory=dict)

    @property
    def new_failures(self) -> list[Failure]:
        return [failure for failure in self.failed if not failure.known]
