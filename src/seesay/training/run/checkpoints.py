"""Checkpoint files of a run, written atomically: the last few, and the best weights."""

import re
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import torch

from seesay.errors import ModelError, TrainingError, first_sentence
from seesay.system.files import DRAFT, atomic_write
from seesay.system.paths import printable
from seesay.training.processes import Processes
from seesay.training.run.shards import REST, read_shards, write_shards

FORMAT = 2  # version of a checkpoint's content
NAME = re.compile(r"step-(\d+)(\.pt)?")


class CheckpointFolder:
    """`step-N.pt` files, or folders `step-N` where processes share the weights; and the best weights in `best-N.pt`, N being
    the step. What is under such a name is complete."""

    def __init__(self, folder: Path, keep: int) -> None:
        self.folder, self.keep = folder, keep

    def steps(self) -> list[int]:
        """The steps of the checkpoints, in order."""
        matches = [NAME.fullmatch(file.name) for file in self.folder.glob("step-*")]
        return sorted(int(match[1]) for match in matches if match)

    def save(self, step: int, state: dict[str, Any]) -> None:
        """Writes a checkpoint; removes those older than the last `keep`, and best weights to which none of these refers."""
        write_state(self.folder / f"step-{step:08d}.pt", {"format": FORMAT, **state})
        self._tidy()

    def save_shards(self, step: int, state: dict[str, Any], processes: Processes) -> None:
        """Writes a checkpoint with all processes, of which each has a part of the tensors; else as `save`."""
        write_shards(self.folder / f"step-{step:08d}", {"format": FORMAT, **state}, write_state, processes)
        if processes.lead:
            self._tidy()

    def _tidy(self) -> None:
        for old in self.steps()[: -self.keep]:
            _remove(self._file(old))
        referred = [self._best_of(remaining) for remaining in self.steps()]
        for best in self.folder.glob("best-*.pt"):
            if best not in referred:
                best.unlink(missing_ok=True)
        for draft in self.folder.glob(f"*{DRAFT}*"):  # of runs that were killed while writing
            _remove(draft)

    def last(self) -> dict[str, Any] | None:
        """The newest checkpoint; None if there is none. Raises ModelError if it is damaged or of another version."""
        steps = self.steps()
        if not steps:
            return None
        file = self._file(steps[-1])
        advice = "remove it to go on from the checkpoint before"
        state = read_shards(file, partial(read_state, advice=advice)) if file.is_dir() else read_state(file, advice)
        if state.get("format") != FORMAT:
            raise ModelError(f"{printable(file)} was written by another version of SeeSay; finish the run with that one")
        return state

    def save_best(self, step: int, state: dict[str, Any]) -> None:
        """Writes the best weights. The previous best stays until no checkpoint refers to it."""
        write_state(self._best_file(step), state)

    def best(self, step: int) -> dict[str, Any]:
        """The best weights, of this step. Raises ModelError."""
        return read_state(self._best_file(step), "train on, or without [validation] to take the last weights")

    def restart_advice(self) -> str:
        """What to do about a run that diverged, in a sentence."""
        gentler = "a lower optimizer.learning_rate, a clip_norm or a longer warmup"
        steps = self.steps()
        if not steps:
            return f"No checkpoint was written yet; start again with {gentler}"
        return f"The checkpoint of step {steps[-1]} is whole: go on from it with --resume and {gentler}"

    def _best_of(self, step: int) -> Path | None:
        """The file of the best weights to which a checkpoint refers."""
        try:  # memory-mapped, so that no weights are read
            file = self._file(step)
            best = torch.load(file / REST if file.is_dir() else file, map_location="cpu", weights_only=True, mmap=True)["best"]
        except Exception:  # damaged: `last` will report it
            return None
        return self._best_file(best["step"]) if best else None

    def _best_file(self, step: int) -> Path:
        return self.folder / f"best-{step:08d}.pt"

    def _file(self, step: int) -> Path:
        folder = self.folder / f"step-{step:08d}"
        return folder if folder.is_dir() else folder.with_suffix(".pt")


def _remove(path: Path) -> None:
    if path.is_dir():
        gone = path if DRAFT in path.name else path.rename(path.with_name(f"{path.name}{DRAFT}old"))  # never half of it
        shutil.rmtree(gone, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def write_state(file: Path, state: dict[str, Any]) -> None:
    """Tensors, numbers, strings, lists and dicts of them, written atomically and durably. Raises TrainingError."""
    try:
        with atomic_write(file, durable=True) as draft, draft.open("wb") as stream:
            torch.save(state, stream)
    except (OSError, RuntimeError) as error:  # torch turns a full disk into a RuntimeError
        raise TrainingError(
            f"cannot write {printable(file)}: {error}. What was written before is whole; --resume goes on from it"
        ) from None


def read_state(file: Path, advice: str) -> dict[str, Any]:
    """The state in a file, unpickled without running code. advice: what to do if it is damaged. Raises ModelError."""
    try:
        state: dict[str, Any] = torch.load(file, map_location="cpu", weights_only=True)
    except (OSError, MemoryError) as error:
        raise ModelError(f"{printable(file)} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    except Exception as error:  # torch and pickle raise nearly anything, in many lines
        raise ModelError(f"{printable(file)} is damaged; {advice}. What was met: {first_sentence(error)}") from None
    return state
