"""`KeptTable`: a Parquet file that grows in parts beside it, so that a run that was killed goes on where it ended."""

import os
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from seesay.errors import InputError
from seesay.library.embedding.encode import Row
from seesay.library.embedding.table import GROUP_ROWS, Origin, arrow, keys, parquet_writer, read_origin, read_tables, to_table
from seesay.system.files import atomic_write, lock_file
from seesay.system.paths import printable

KEPT_ROWS = 4096  # rows of a part, at most
KEPT_SECONDS = 10.0  # of work that a kill may cost
SUFFIX = ".kept"  # of the folder of parts
KEY_COLUMNS = ("path", "raw_path", "line", "text", "size", "mtime_ns")


class KeptTable:
    """Rows on their way into the Parquet file `output`.

    Every few seconds they are written as a part in the folder `output`.kept, whole or not at all; `finish` joins the parts and
    renames the result in one step. `done`: keys of rows that an earlier run made with the same model, in parts or in a finished
    `output`. One process at a time: raises InputError where another is at it, OSError where the disk fails.
    """

    def __init__(self, output: Path, origin: Origin) -> None:
        arrow()  # before a folder is made
        self.output, self.origin = output, origin
        self._folder = output.with_name(output.name + SUFFIX)
        self._folder.mkdir(parents=True, exist_ok=True)
        try:
            self._lock = lock_file(self._folder / "lock", wait=False)
        except BlockingIOError:
            raise InputError(f"{printable(output)} is being written by another process; wait for it, or name another") from None
        self._parts = [part for part in sorted(self._folder.glob("*.parquet")) if self._usable(part)]
        self._old = [output] if output.is_file() and self._usable(output) else []
        self.done = {key for part in self._sources() for table in read_tables(part, KEY_COLUMNS) for key in keys(table)}
        self._next = 1 + max((int(part.stem) for part in self._parts if part.stem.isdigit()), default=0)
        self._waiting: list[Any] = []
        self._waiting_rows, self._kept_at = 0, time.monotonic()

    def __enter__(self) -> "KeptTable":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Keeps what is encoded, also on Ctrl-C."""
        try:
            if kind is not None and not issubclass(kind, OSError):
                self._keep()
        finally:
            self._lock.release()
            with suppress(OSError):  # a folder with parts in it stays
                if not any(self._folder.glob("*.parquet")):
                    shutil.rmtree(self._folder)

    def add(self, rows: Sequence[Row]) -> None:
        """Takes rows, in order."""
        self.add_table(to_table(rows, self.origin))

    def add_table(self, table: Any) -> None:
        """Takes the rows of a table with the columns of `table.schema`."""
        self._waiting.append(table)
        self._waiting_rows += table.num_rows
        if self._waiting_rows >= KEPT_ROWS or time.monotonic() - self._kept_at >= KEPT_SECONDS:
            self._keep()

    def finish(self, wanted: set[bytes]) -> int:
        """Writes `output` with the rows of these keys, each once, and removes the parts -> how many rows it has."""
        self._keep()
        if not self._parts and self._old and self.done <= wanted and read_origin(self.output) == self.origin:
            return len(self.done)  # nothing is new and nothing has gone
        joined = self._folder / "joined"
        written: set[bytes] = set()
        with parquet_writer(joined, self.origin) as writer:
            for group in _groups(self._rows(wanted, written)):
                writer.write_table(group.replace_schema_metadata(writer.schema.metadata), row_group_size=GROUP_ROWS)
        with joined.open("rb+") as stream:
            os.fsync(stream.fileno())
        joined.replace(self.output)
        for part in self._folder.glob("*.parquet"):
            part.unlink()
        return len(written)

    def _rows(self, wanted: set[bytes], written: set[bytes]) -> Iterator[Any]:
        """The wanted rows, the first of each key; adds the keys to `written`."""
        for part in self._sources():
            for table in read_tables(part):
                mask = []
                for key in keys(table):
                    mask.append(key in wanted and key not in written)
                    if mask[-1]:
                        written.add(key)
                yield table if all(mask) else table.filter(arrow().array(mask))

    def _sources(self) -> list[Path]:
        return [*self._old, *self._parts]

    def _keep(self) -> None:
        """Writes the waiting rows as a part."""
        if self._waiting_rows:
            part = self._folder / f"{self._next:08}.parquet"
            with atomic_write(part, durable=True) as draft, parquet_writer(draft, self.origin) as writer:
                for table in self._waiting:
                    writer.write_table(table)
            self._parts.append(part)
            self._next += 1
            self._waiting, self._waiting_rows = [], 0
        self._kept_at = time.monotonic()

    def _usable(self, part: Path) -> bool:
        """Whether a file has rows as this run makes them."""
        try:
            return read_origin(part).same_make(self.origin)
        except InputError:
            return False


def _groups(tables: Iterator[Any]) -> Iterator[Any]:
    """Tables -> tables of GROUP_ROWS, the last one shorter."""
    pa = arrow()
    waiting, rows = [], 0
    for table in tables:
        waiting.append(table)
        rows += table.num_rows
        while rows >= GROUP_ROWS:
            whole = pa.concat_tables(waiting)
            yield whole.slice(0, GROUP_ROWS)
            waiting, rows = [whole.slice(GROUP_ROWS)], rows - GROUP_ROWS
    if rows:
        yield pa.concat_tables(waiting)
