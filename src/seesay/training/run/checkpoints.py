"""Checkpoint files of a run, written atomically: the last few, and the best weights."""

import re
from pathlib import Path
from typing import Any

import torch

from seesay.errors import ModelError, TrainingError, first_sentence
from seesay.system.files import DRAFT, atomic_write
from seesay.system.paths import printable

FORMAT = 2  # version of a checkpoint's content
NAME = re.compile(r"step-(\d+)\.pt")


class CheckpointFolder:
    """`step-N.pt` files, and the best weights in `best-N.pt`, N being the step. A file under such a name is complete."""

    def __init__(self, folder: Path, keep: int) -> None:
        self.folder, self.keep = folder, keep

    def steps(self) -> list[int]:
        """The steps of the checkpoints, in order."""
        matches = [NAME.fullmatch(file.name) for file in self.folder.glob("step-*.pt")]
        return sorted(int(match[1]) for match in matches if match)

    def save(self, step: int, state: dict[str, Any]) -> Path:
        """Writes a checkpoint; removes those older than the last `keep`, and best weights to which none of these refers."""
        file = self._file(step)
        write_state(file, {"format": FORMAT, **state})
        for old in self.steps()[: -self.keep]:
            self._file(old).unlink(missing_ok=True)
        referred = [self._best_of(remaining) for remaining in self.steps()]
        for best in self.folder.glob("best-*.pt"):
            if best not in referred:
                best.unlink(missing_ok=True)
        for draft in self.folder.glob(f"*{DRAFT}*"):  # of runs that were killed while writing
            draft.unlink(missing_ok=True)
        return file

    def last(self) -> dict[str, Any] | None:
        """The newest checkpoint; None if there is none. Raises ModelError if it is damaged or of another version."""
        steps = self.steps()
        if not steps:
            return None
        file = self._file(steps[-1])
        state = read_state(file, "remove it to go on from the checkpoint before")
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
            best = torch.load(self._file(step), map_location="cpu", weights_only=True, mmap=True)["best"]
        except Exception:  # damaged: `last` will report it
            return None
        return self._best_file(best["step"]) if best else None

    def _best_file(self, step: int) -> Path:
        return self.folder / f"best-{step:08d}.pt"

    def _file(self, step: int) -> Path:
        return self.folder / f"step-{step:08d}.pt"


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
