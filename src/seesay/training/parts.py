"""The parts of a training run, which `setup` builds from a recipe and the trainer runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from seesay.models.clip import Clip
from seesay.models.config import ModelConfig
from seesay.training.data.class_prompts import ClassPrompts
from seesay.training.data.picture_targets import PictureTargets
from seesay.training.data.samples import SampleSource
from seesay.training.data.skipped import SkippedSamples
from seesay.training.data.teacher import Teacher
from seesay.training.data.text_targets import TextTargets
from seesay.training.data.tower_inputs import ImageInputs, TextInputs
from seesay.training.objective import Objective
from seesay.training.optim.ema import Ema
from seesay.training.processes import Processes
from seesay.training.recipe import Recipe
from seesay.training.run.checkpoints import CheckpointFolder
from seesay.training.run.observer import Observer
from seesay.training.run.state import RunState
from seesay.training.validation import Validator


@dataclass(frozen=True, kw_only=True)
class RunParts:
    """vocabulary: the tokenizer.json of the model. base: the model that an adapter would go on, if there is one. text_targets:
    one for each of the recipe's `loss.anchors`. classes: label -> its number. prompts: where images are classified among
    prompts of all classes. state: the only part that a run replaces; the others change in place."""

    recipe: Recipe
    processes: Processes
    observer: Observer
    checkpoints: CheckpointFolder
    device: torch.device
    clip: Clip
    vocabulary: bytes
    base: ModelConfig | None
    images: ImageInputs
    texts: TextInputs
    source: SampleSource
    text_targets: Sequence[TextTargets]
    teacher: Teacher | None
    classes: Mapping[str, int]
    prompts: ClassPrompts | None
    objective: Objective
    optimizer: torch.optim.Optimizer
    scaler: torch.amp.GradScaler
    ema: Ema | None
    validator: Validator | None
    state: RunState

    @property
    def sharded(self) -> bool:
        """Whether each process has but a part of the weights."""
        return self.processes.count > 1 and self.recipe.distributed.strategy == "fsdp2"

    @property
    def trainable(self) -> list[nn.Parameter]:
        """The parameters that the optimizer updates."""
        return [parameter for group in self.optimizer.param_groups for parameter in group["params"]]

    @property
    def anchored(self) -> list[str]:
        """The pictures that have target vectors."""
        return [path for targets in self.text_targets if isinstance(targets, PictureTargets) for path in targets.texts]

    @property
    def validation_skipped(self) -> SkippedSamples:
        """Images that the last validation could not read."""
        return self.validator.skipped if self.validator is not None else SkippedSamples()

    @property
    def is_stale(self) -> bool:
        """Whether so many validations in a row were no better that the recipe's patience has an end."""
        validation = self.recipe.validation
        return validation is not None and validation.patience is not None and self.state.stale >= validation.patience
