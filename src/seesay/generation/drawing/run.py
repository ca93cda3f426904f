"""`Run`: a drawing that is learned step by step, and that goes on from a file exactly as if it had not been stopped."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from seesay.checkpoints.containers.saving import save_tensors
from seesay.errors import InputError
from seesay.generation.drawing.medium import Medium
from seesay.generation.drawing.objective import Objective
from seesay.system.files import atomic_write
from seesay.system.paths import printable

STEPS_PER_SEED = 1_000_003  # each step has a seed of its own, so that a run that goes on needs no other's history
SLOWER = ((0.5, 1.0), (0.75, 0.4), (1.0, 0.1))  # factors of the learning rates until each share of the steps (CLIPDraw's)
MOMENTS = ("exp_avg", "exp_avg_sq", "step")  # what Adam keeps of each tensor


class Run:
    """Takes a medium towards an objective in `steps` steps of Adam. similarity: of the drawing as it began, and then of each
    time that it was looked at; frames: pictures (size, size, 3) uint8 of those times."""

    def __init__(self, objective: Objective, medium: Medium, steps: int, seed: int) -> None:
        self.objective = objective
        self.medium = medium
        self.steps = steps
        self.seed = seed
        self.step = 0
        self.similarity: list[float] = []
        self.frames: list[Tensor] = []
        self._rates = medium.rates()
        for tensor, _ in self._rates:
            tensor.requires_grad_()
        self._adam = torch.optim.Adam([{"params": [tensor], "lr": rate} for tensor, rate in self._rates])

    def advance(self) -> None:
        """One step."""
        done = self.step / self.steps
        slower = next(factor for until, factor in SLOWER if done < until)
        for group, (_, rate) in zip(self._adam.param_groups, self._rates, strict=True):
            group["lr"] = rate * slower
        generator = torch.Generator().manual_seed(self.seed * STEPS_PER_SEED + self.step)
        self._adam.zero_grad()
        picture = self.medium.picture()
        loss = self.objective.loss(picture, generator) + self.medium.penalty(picture)
        loss.backward()  # type: ignore[no-untyped-call]
        self._adam.step()
        self.medium.constrain()
        self.step += 1

    def look(self, *, keep: bool) -> None:
        """Notes how near the drawing is now; keep: and what it looks like."""
        with torch.no_grad():
            picture = self.medium.picture()
        self.similarity.append(self.objective.similarity(picture))
        if keep:
            self.frames.append(levels(picture))

    def save(self, file: Path, settings: Mapping[str, str]) -> None:
        """Writes all that the run needs to go on. Raises ModelError where the file cannot be written."""
        tensors = {"similarity": torch.tensor(self.similarity, dtype=torch.float64), "at": torch.tensor(self.step)}
        for number, (tensor, _) in enumerate(self._rates):
            tensors[f"value.{number}"] = tensor.detach()
            tensors |= {f"{name}.{number}": kept for name, kept in self._adam.state.get(tensor, {}).items()}
        if self.frames:
            tensors["frames"] = torch.stack(self.frames)
        with atomic_write(file) as draft:
            save_tensors({name: value.contiguous() for name, value in tensors.items()}, draft, dict(settings))

    def restore(self, file: Path, settings: Mapping[str, str]) -> None:
        """Goes on where `save` was called. Raises InputError for a file that is missing or damaged, or of other settings."""
        tensors, saved = _read(file)
        other = [f"{name} ({saved.get(name)}, now {value})" for name, value in settings.items() if saved.get(name) != value]
        if other:
            raise InputError(
                f"{printable(str(file))} was begun with other settings: {'; '.join(other)}. Give the same ones, or leave out "
                "--resume to begin again"
            )
        try:
            self._adopt(tensors)
        except (KeyError, RuntimeError):
            raise _damaged(file) from None

    def _adopt(self, tensors: dict[str, Tensor]) -> None:
        with torch.no_grad():
            for number, (tensor, _) in enumerate(self._rates):
                if tensors[f"value.{number}"].shape != tensor.shape:
                    raise KeyError(f"value.{number}")
                tensor.copy_(tensors[f"value.{number}"])
                if f"step.{number}" in tensors:
                    self._adam.state[tensor] = {name: tensors[f"{name}.{number}"].clone() for name in MOMENTS}
        self.step = int(tensors["at"])
        self.similarity = tensors["similarity"].tolist()
        self.frames = list(tensors["frames"]) if "frames" in tensors else []


def levels(picture: Tensor) -> Tensor:
    """A picture (3, H, W) of levels 0..1 -> (H, W, 3) uint8."""
    return (picture.detach().permute(1, 2, 0).clamp(0, 1) * 255).round().to(torch.uint8)


def _read(file: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    from safetensors import SafetensorError, safe_open

    if not file.is_file():
        raise InputError(f"there is no unfinished drawing at {printable(str(file))}; leave out --resume to begin one")
    try:
        with safe_open(file, framework="pt") as opened:
            stored: Any = opened
            return {name: stored.get_tensor(name) for name in stored.keys()}, stored.metadata() or {}  # noqa: SIM118
    except (OSError, SafetensorError):
        raise _damaged(file) from None


def _damaged(file: Path) -> InputError:
    return InputError(f"{printable(str(file))} is damaged, and cannot be gone on with; leave out --resume to begin again")
