"""Checkpoints of a run: whole at any moment, the last few and the best, and one file for each."""

import re
from pathlib import Path
from typing import Any

import torch

from seesay.errors import ModelError, TrainingError, first_sentence
from seesay.system.files import DRAFT, atomic_write
from seesay.system.paths import printable

FORMAT = 2  # of a checkpoint
NAME = re.compile(r"step-(\d+)\.pt")


class CheckpointFolder:
    """`step-N.pt` files, and the best weights in `best-N.pt`. What is written under its name is complete: it was written
    beside, synced, and renamed."""

    def __init__(self, folder: Path, keep: int) -> None:
        self.folder, self.keep = folder, keep

    def steps(self) -> list[int]:
        """Those that there are, in order."""
        found = [NAME.fullmatch(file.name) for file in self.folder.glob("step-*.pt")]
        return sorted(int(match[1]) for match in found if match)

    def save(self, step: int, state: dict[str, Any]) -> Path:
        """Writes one and removes what is older than the last `keep`, and best weights that none of these speaks of."""
        file = self._file(step)
        write_whole(file, {"format": FORMAT, **state})
        for old in self.steps()[: -self.keep]:
            self._file(old).unlink(missing_ok=True)
        bests = [self._best_of(kept) for kept in self.steps()]
        for other in self.folder.glob("best-*.pt"):
            if other not in bests:
                other.unlink(missing_ok=True)
        for left in self.folder.glob(f"*{DRAFT}*"):  # of runs that were killed while writing
            left.unlink(missing_ok=True)
        return file

    def last(self) -> dict[str, Any] | None:
        """The newest; None where there is none."""
        steps = self.steps()
        if not steps:
            return None
        file = self._file(steps[-1])
        state = read_state(file, "remove it to go on from the checkpoint before")
        if state.get("format") != FORMAT:
            raise ModelError(f"{printable(file)} was written by another version of SeeSay; finish the run with that one")
        return state

    def save_best(self, step: int, state: dict[str, Any]) -> None:
        """Beside the best before, which the newest checkpoint still speaks of."""
        write_whole(self._best_file(step), state)

    def best(self, step: int) -> dict[str, Any]:
        return read_state(self._best_file(step), "train on, or without [validation] to take the last weights")

    def _best_of(self, step: int) -> Path | None:
        """Where the best weights are that a checkpoint speaks of."""
        try:  # mapped, so that no weights are read
            best = torch.load(self._file(step), map_location="cpu", weights_only=True, mmap=True)["best"]
        except Exception:  # damaged: `last` will say so
            return None
        return self._best_file(best["step"]) if best else None

    def _best_file(self, step: int) -> Path:
        return self.folder / f"best-{step:08d}.pt"

    def _file(self, step: int) -> Path:
        return self.folder / f"step-{step:08d}.pt"


def write_whole(file: Path, state: dict[str, Any]) -> None:
    """Tensors, numbers, strings, lists and dicts of them; never half a file under this name. Raises TrainingError."""
    try:
        with atomic_write(file, durable=True) as draft, draft.open("wb") as stream:
            torch.save(state, stream)
    except (OSError, RuntimeError) as error:  # torch turns a full disk into a RuntimeError
        said = f"cannot write {printable(file)}: {error}. What was written before is whole; --resume goes on from it"
        raise TrainingError(said) from None


def read_state(file: Path, then: str) -> dict[str, Any]:
    """Nothing in it is run. `then`: what to do where it is damaged. Raises ModelError."""
    try:
        state: dict[str, Any] = torch.load(file, map_location="cpu", weights_only=True)
    except (OSError, MemoryError) as error:
        raise ModelError(f"{printable(file)} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    except Exception as error:  # torch and pickle raise nearly anything, in many lines
        raise ModelError(f"{printable(file)} is damaged; {then}. What was met: {first_sentence(error)}") from None
    return state
