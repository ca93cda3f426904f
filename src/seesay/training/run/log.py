"""The log of a run: JSON Lines, and the same numbers for TensorBoard."""

import json
from pathlib import Path
from typing import Any, Protocol

from seesay.errors import MissingExtra
from seesay.system.files import write_atomically

Record = dict[str, Any]  # one line of the log: `step`, and numbers by name


class Log(Protocol):
    """Takes the records of a run."""

    def write(self, record: Record) -> None:
        """Takes a record."""

    def close(self) -> None:
        """Called at the end."""


class NoLog:
    """The log of a process that is not the one that writes."""

    def write(self, record: Record) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""


class RunLog:
    """`log.jsonl`, and events in `tensorboard/`. A run that resumes after `step` removes later records and continues."""

    def __init__(self, folder: Path, step: int) -> None:
        try:
            from tensorboardX import SummaryWriter
        except ImportError:
            raise MissingExtra("training", "train") from None
        self.file = folder / "log.jsonl"
        earlier = [record for record in read_log(self.file) if record["step"] <= step] if step else []
        write_atomically(self.file, "".join(_line(record) for record in earlier))
        self._stream = self.file.open("a", encoding="utf-8")
        self._events = SummaryWriter(str(folder / "tensorboard"), purge_step=step + 1 if step else None)

    def write(self, record: Record) -> None:
        """Appends a record. Its numbers go to TensorBoard too, nested ones as name/part."""
        self._stream.write(_line(record))
        self._stream.flush()
        for name, value in _numbers("", record):
            if name != "step":
                self._events.add_scalar(name, value, record["step"])

    def close(self) -> None:
        """Closes both files."""
        self._stream.close()
        self._events.close()


def read_log(file: Path) -> list[Record]:
    """The records of a run, up to a line that a kill truncated."""
    records = []
    if file.is_file():
        for line in file.read_text(encoding="utf-8").splitlines():
            try:
                records.append(json.loads(line))
            except ValueError:
                break
    return records


def _line(record: Record) -> str:
    return json.dumps(record, ensure_ascii=False) + "\n"


def _numbers(name: str, value: Any) -> list[tuple[str, float]]:
    """The numbers in a (nested) record, by path."""
    if isinstance(value, dict):
        return [pair for key, inner in value.items() for pair in _numbers(f"{name}/{key}" if name else key, inner)]
    return [(name, float(value))] if isinstance(value, int | float) and not isinstance(value, bool) else []
