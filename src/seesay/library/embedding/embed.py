"""One run of embedding: the items of a shard, encoded here, into a file (`embed`)."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from seesay.errors import InputError, UnreadableImage
from seesay.library.embedding.encode import Row, encode_items
from seesay.library.embedding.item import Item
from seesay.library.embedding.listing import Listing
from seesay.library.embedding.outputs import Output, open_output
from seesay.library.embedding.table import Origin
from seesay.library.indexing.report import Failure
from seesay.model import Model
from seesay.system.paths import printable
from seesay.system.progress import Progress

ADDED_ROWS = 64  # rows handed to the output at once


@dataclass
class EmbedReport:
    """Counts of a run. written: rows of the file. kept: those of them that an earlier run had made. failed: could not be read.
    skipped: files of kinds that are not read, by kind."""

    written: int = 0
    kept: int = 0
    failed: list[Failure] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)


def embed(model: Model, listing: Listing, output: Path, progress: Progress | None = None) -> EmbedReport:
    """Encodes what a listing has into a file (see `outputs`). Memory is bounded, but for `.npz`.

    A run into a Parquet file that was stopped goes on with what is missing, and one that is repeated encodes what has changed.
    Pictures are decoded as `Library.index` decodes them. Raises InputError where there is nothing to write, MissingExtra,
    OSError.
    """
    encoder = model.sharing().with_decode("fast")
    with open_output(output, Origin.of(encoder, listing.roots)) as sink:
        run = _Run(listing, sink, progress)
        waiting: list[Row] = []
        try:
            for result in encode_items(encoder, run.pending()):
                if isinstance(result, Row):
                    waiting.append(result)
                if len(waiting) >= ADDED_ROWS:
                    sink.add(waiting)
                    waiting = []
                run.step(result)
        finally:  # also on Ctrl-C
            if waiting:
                sink.add(waiting)
        return run.finish(output)


class _Run:
    """The books of one run: what is wanted, done and failed."""

    def __init__(self, listing: Listing, sink: Output, progress: Progress | None) -> None:
        self._listing, self._sink, self._progress = listing, sink, progress
        self._wanted: set[bytes] = set()
        self.report = EmbedReport(failed=list(listing.failed), skipped=listing.skipped)
        self._seen = self._encoded = 0

    def pending(self) -> Iterator[Item]:
        """The items that are not done, each once. Whatever of an archive cannot be read becomes a failure."""
        for unit in self._listing.units():
            try:
                for item in unit.read():
                    if (key := item.key) in self._wanted:
                        continue
                    self._wanted.add(key)
                    if key not in self._sink.done:
                        yield item
                    else:
                        self.report.kept += 1
            except UnreadableImage as fault:
                self.report.failed.append(Failure(fault.source, fault.reason))

    def step(self, result: Row | Failure) -> None:
        """Counts what has been encoded, or has failed."""
        if isinstance(result, Failure):
            self.report.failed.append(result)
        else:
            self._encoded += 1
        self._seen += 1
        if self._progress is not None:
            done = self._seen + self.report.kept
            self._progress(done, max(done, self._listing.count))

    def finish(self, output: Path) -> EmbedReport:
        """Completes the file. Raises InputError where it would be empty, unless it is one of several."""
        if not self._encoded and not self.report.kept and self._listing.shard.count == 1:
            raise NothingToEmbed(output, self.report)
        self.report.written = self._sink.finish(self._wanted)
        return self.report


class NothingToEmbed(InputError):
    """The inputs hold no picture and no text that can be read. report: what was there instead."""

    def __init__(self, output: Path, report: EmbedReport) -> None:
        super().__init__(f"no picture or text to embed was found; {printable(output)} was not written")
        self.report = report
