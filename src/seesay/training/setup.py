"""Sets up a run: from a recipe to its parts, new or restored from a checkpoint."""

from pathlib import Path

import torch

from seesay.errors import InputError
from seesay.models.clip import Clip
from seesay.models.layers.compilation import check_compiler, compile_blocks
from seesay.models.layers.recompute import recompute_blocks
from seesay.render import plots
from seesay.system.paths import printable
from seesay.training.data.class_prompts import ClassPrompts
from seesay.training.data.mixture import open_mixture
from seesay.training.data.samples import Sample, SampleSource
from seesay.training.data.teacher import open_teacher
from seesay.training.data.text_targets import TextTargets
from seesay.training.data.tower_inputs import ImageInputs, TextInputs
from seesay.training.device import prepare_device
from seesay.training.objective import Objective
from seesay.training.optim.ema import Ema
from seesay.training.optim.optimizer import adamw
from seesay.training.parts import RunParts
from seesay.training.recipe import Data, Loss, Recipe
from seesay.training.run.checkpoints import CheckpointFolder
from seesay.training.run.folder import claim
from seesay.training.run.observer import Observer
from seesay.training.run.snapshot import restore
from seesay.training.run.state import RunState
from seesay.training.start.towers import BuiltModel, build
from seesay.training.validation import Validator, make_validator


def set_up(recipe: Recipe, *, resume: bool = False, finish: bool = False, observer: Observer | None = None) -> RunParts:
    """The parts of a recipe's run.

    resume: continues from the newest checkpoint in the run's folder, if there is one. finish: the run ends at that checkpoint.
    Raises InputError, ModelError, MissingExtra.
    """
    plots.require()  # the report needs it at the end
    observer = observer or Observer()
    checkpoints = CheckpointFolder(recipe.folder / "checkpoints", recipe.checkpoints.keep)
    saved = checkpoints.steps()
    claim(recipe, saved[-1] if saved else None, resume=resume or finish)
    parts = _new_run(recipe, checkpoints, observer)
    if resume or finish:
        _resume(parts, finish=finish)
    return parts


def _new_run(recipe: Recipe, checkpoints: CheckpointFolder, observer: Observer) -> RunParts:
    device = prepare_device(recipe.device, recipe.threads)
    model = build(recipe)
    clip = model.clip.to(device)
    _compile(recipe, clip, device)
    _recompute(recipe, clip)
    source = open_mixture(recipe.data.sources, Path(recipe.root))
    steps = _steps(recipe, len(source))
    if recipe.data.batch > len(source):
        observer.note(f"data.batch is {recipe.data.batch}, a pass has {len(source)} samples: every batch holds some twice")
    targets = [TextTargets(recipe.path(a.path), clip.config.dim, a.batch, recipe.seed) for a in recipe.loss.anchors]
    distillation = recipe.loss.distillation
    teacher = open_teacher(distillation, recipe, source, observer.note) if distillation else None
    over_classes = recipe.loss.candidates == "classes"
    classes = number_classes(source, recipe.data, recipe.loss) if recipe.loss.class_weight or over_classes else {}
    objective = Objective(clip, recipe.loss, len(classes), teacher).to(device)
    return RunParts(
        recipe=recipe,
        observer=observer,
        checkpoints=checkpoints,
        device=device,
        clip=clip,
        vocabulary=model.vocabulary,
        base=model.base,
        images=_image_inputs(recipe, clip, device),
        texts=_text_inputs(recipe, model, device),
        source=source,
        text_targets=targets,
        teacher=teacher,
        classes=classes,
        prompts=ClassPrompts(source, classes, recipe.seed) if over_classes else None,
        objective=objective,
        optimizer=adamw(clip, objective, recipe.optimizer),
        scaler=torch.amp.GradScaler(device.type, enabled=recipe.precision == "float16"),
        ema=Ema(clip, recipe.optimizer.ema) if recipe.optimizer.ema else None,
        validator=_validator(recipe, model, device, observer),
        state=RunState(steps),
    )


def _compile(recipe: Recipe, clip: Clip, device: torch.device) -> None:
    """Compiles the towers' blocks where the recipe demands it."""
    if recipe.compile:
        check_compiler(device)
        for tower in (clip.image, clip.text):
            compile_blocks(tower)


def _recompute(recipe: Recipe, clip: Clip) -> None:
    """Turns gradient checkpointing on where the recipe demands it."""
    model = recipe.model
    for tower, recompute in ((clip.image, model.image.recompute), (clip.text, model.text.recompute)):
        if recompute:
            recompute_blocks(tower)


def _image_inputs(recipe: Recipe, clip: Clip, device: torch.device) -> ImageInputs:
    unlocked = recipe.model.image.unlocked_groups
    return ImageInputs(clip, recipe.data.augment, device, unlocked_groups=unlocked, views=recipe.data.views)


def _text_inputs(recipe: Recipe, model: BuiltModel, device: torch.device) -> TextInputs:
    text = recipe.model.text
    inputs = (model.clip, model.tokenizer, device)
    return TextInputs(*inputs, unlocked_groups=text.unlocked_groups, shortening=text.shortening, seed=recipe.seed)


def _validator(recipe: Recipe, model: BuiltModel, device: torch.device, observer: Observer) -> Validator | None:
    if recipe.validation is None:
        return None
    validator = make_validator(recipe, recipe.validation, model.clip, model.tokenizer, device)
    for message in validator.notes:
        observer.note(message)
    return validator


def _steps(recipe: Recipe, samples: int) -> int:
    """The number of steps of a run over epochs of so many samples."""
    steps = recipe.steps if recipe.steps is not None else round((recipe.epochs or 0) * samples / recipe.data.batch)
    if steps < 1:
        raise InputError(
            f"{recipe.epochs} epochs of {samples} samples are no step of {recipe.data.batch}; "
            "take a smaller data.batch, or more epochs"
        )
    return steps


def number_classes(source: SampleSource, data: Data, loss: Loss) -> dict[str, int]:
    """Label -> number, in the labels' order. Raises InputError for fewer than two, and for sources that are not listed."""
    key = "loss.candidates" if loss.candidates == "classes" else "loss.class_weight"
    if not data.listed:
        raise InputError(f"{key}: the labels in shards are not known beforehand; list the pictures in a manifest")
    labels = {sample.label for sample in source.once() if isinstance(sample, Sample) and sample.label is not None}
    if len(labels) < 2:
        raise InputError(f"{key}: expected labels of at least two classes in the data, got {len(labels)}")
    return {label: number for number, label in enumerate(sorted(labels))}


def _resume(parts: RunParts, *, finish: bool) -> None:
    """Restores the newest checkpoint, if there is one; the run ends there if it has come so far, or if it shall `finish`."""
    state, observer, shown = parts.state, parts.observer, printable(parts.recipe.folder)
    content = parts.checkpoints.last()
    if content is None and finish:
        raise InputError(f"there is no checkpoint in {shown} of which a model could be made")
    if content is None:
        observer.note(f"there is no checkpoint in {shown}; a new run begins")
        return
    restore(parts, content)
    if finish or state.step >= state.steps or parts.is_stale:
        observer.note(f"ending after step {state.step}; the recipe has {state.steps}")
        state.steps = state.step
    else:
        observer.note(f"going on after step {state.step} of {state.steps}")
