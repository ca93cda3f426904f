"""Checkpoints of a run: whole at any moment, the last few and the best, and one file for each."""

import os
import re
from pathlib import Path
from typing import Any

import torch

from seesay.errors import ModelError
from seesay.paths import printable

NAME = re.compile(r"step-(\d+)\.pt")


class CheckpointFolder:
    """`step-N.pt` files. What is written under its name is complete: it was written beside, synced, and renamed."""

    def __init__(self, folder: Path, keep: int) -> None:
        self.folder, self.keep = folder, keep

    def steps(self) -> list[int]:
        """Those that there are, in order."""
        found = [NAME.fullmatch(file.name) for file in self.folder.glob("step-*.pt")]
        return sorted(int(match[1]) for match in found if match)

    def save(self, step: int, state: dict[str, Any]) -> Path:
        """Writes one and removes what is older than the last `keep`."""
        file = self._file(step)
        write_whole(file, state)
        for old in self.steps()[: -self.keep]:
            self._file(old).unlink(missing_ok=True)
        for left in self.folder.glob("*.part-*"):  # of runs that were killed while writing
            left.unlink(missing_ok=True)
        return file

    def last(self) -> dict[str, Any] | None:
        """The newest; None where there is none."""
        steps = self.steps()
        return read_state(self._file(steps[-1])) if steps else None

    def _file(self, step: int) -> Path:
        return self.folder / f"step-{step:08d}.pt"


def write_whole(file: Path, state: dict[str, Any]) -> None:
    """Tensors, numbers, strings, lists and dicts of them; never half a file under this name."""
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_name(f"{file.name}.part-{os.getpid()}")
    with unfinished.open("wb") as stream:
        torch.save(state, stream)
        stream.flush()
        os.fsync(stream.fileno())
    unfinished.replace(file)


def read_state(file: Path) -> dict[str, Any]:
    """Nothing in it is run. Raises ModelError."""
    try:
        state: dict[str, Any] = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # torch and pickle raise nearly anything
        raise ModelError(f"{printable(file)} cannot be read ({error}); remove it to go on from the checkpoint before") from None
    return state
