"""Sets up a run: from a recipe to its parts, new or restored from a checkpoint."""

from collections.abc import Sequence
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
from seesay.training.data.picture_targets import PictureTargets
from seesay.training.data.samples import Sample, SampleSource
from seesay.training.data.teacher import open_teacher
from seesay.training.data.text_targets import TextTargets
from seesay.training.data.tower_inputs import ImageInputs, TextInputs
from seesay.training.device import prepare_device
from seesay.training.objective import Objective
from seesay.training.optim.ema import Ema
from seesay.training.optim.optimizer import adamw
from seesay.training.parts import RunParts
from seesay.training.processes import ALONE, Processes
from seesay.training.recipe import Data, Loss, Recipe
from seesay.training.run.checkpoints import CheckpointFolder
from seesay.training.run.folder import claim
from seesay.training.run.observer import Observer
from seesay.training.run.snapshot import restore
from seesay.training.run.state import RunState
from seesay.training.sharding import check_sharding, shard
from seesay.training.shared_norms import share_norms
from seesay.training.start.towers import BuiltModel, build
from seesay.training.validation import Validator, make_validator

TARGETS = {"texts": TextTargets, "pictures": PictureTargets}  # by the kind of anchors


def set_up(
    recipe: Recipe,
    *,
    resume: bool = False,
    finish: bool = False,
    observer: Observer | None = None,
    processes: Processes = ALONE,
) -> RunParts:
    """The parts of a recipe's run.

    processes: those that train together, of which this is one. resume: continues from the newest checkpoint in the run's
    folder, if there is one. finish: the run ends at that checkpoint.
    Raises InputError, ModelError, MissingExtra.
    """
    plots.require()  # the report needs it at the end
    _check_shares(recipe.data, processes)
    if processes.count > 1 and recipe.distributed.strategy == "fsdp2":
        check_sharding(recipe)
    observer = observer or Observer()
    checkpoints = CheckpointFolder(recipe.folder / "checkpoints", recipe.checkpoints.keep)
    saved = checkpoints.steps()
    claim(recipe, saved[-1] if saved else None, resume=resume or finish)
    parts = _new_run(recipe, checkpoints, observer, processes)
    if resume or finish:
        _resume(parts, finish=finish)
    return parts


def _check_shares(data: Data, processes: Processes) -> None:
    """Raises InputError for a batch that cannot be cut into equal shares."""
    if data.batch % (data.parts * processes.count):
        raise InputError(
            f"data.batch: expected one that can be cut into {data.parts * processes.count} equal parts (processes: "
            f"{processes.count}, data.parts: {data.parts}), got {data.batch}; it counts the samples of all processes"
        )


def _new_run(recipe: Recipe, checkpoints: CheckpointFolder, observer: Observer, processes: Processes) -> RunParts:
    device = prepare_device(recipe.device, recipe.threads, processes.local_rank)
    model = build(recipe)
    if processes.count > 1:
        share_norms(model.clip, processes)
    clip = model.clip.to(device)
    _compile(recipe, clip, device)
    _recompute(recipe, clip)
    source = open_mixture(recipe.data.sources, Path(recipe.root))
    steps = _steps(recipe, len(source))
    if recipe.data.batch > len(source):
        observer.note(f"data.batch is {recipe.data.batch}, a pass has {len(source)} samples: every batch holds some twice")
    targets = [TARGETS[a.kind](recipe.path(a.path), clip.config.dim, a.batch, recipe.seed) for a in recipe.loss.anchors]
    _check_anchors(targets, processes)
    distillation = recipe.loss.distillation
    teacher = open_teacher(distillation, recipe, source, observer.note) if distillation else None
    over_classes = recipe.loss.candidates == "classes"
    classes = number_classes(source, recipe.data, recipe.loss) if recipe.loss.class_weight or over_classes else {}
    objective = Objective(clip, recipe.loss, len(classes), teacher, processes)
    objective.to(device)
    processes.copy_lead([*clip.state_dict().values(), *objective.state_dict().values()])
    images = _image_inputs(recipe, clip, device)
    texts = _text_inputs(recipe, model, device)
    validator = _validator(recipe, model, device, observer, processes)
    if processes.count > 1 and recipe.distributed.strategy == "fsdp2":
        shard(clip)
        for inputs in (images, texts, *((validator.images, validator.texts) if validator else ())):
            inputs.freezable = False  # features are computed by one process, with all weights
    return RunParts(
        recipe=recipe,
        processes=processes,
        observer=observer,
        checkpoints=checkpoints,
        device=device,
        clip=clip,
        vocabulary=model.vocabulary,
        base=model.base,
        images=images,
        texts=texts,
        source=source,
        text_targets=targets,
        teacher=teacher,
        classes=classes,
        prompts=ClassPrompts(source, classes, recipe.seed) if over_classes else None,
        objective=objective,
        optimizer=adamw(clip, objective, recipe.optimizer),
        scaler=torch.amp.GradScaler(device.type, enabled=recipe.precision == "float16"),
        ema=Ema(clip, recipe.optimizer.ema) if recipe.optimizer.ema else None,
        validator=validator,
        state=RunState(steps),
    )


def _compile(recipe: Recipe, clip: Clip, device: torch.device) -> None:
    """Compiles the towers' blocks where the recipe demands it."""
    if recipe.compile:
        check_compiler(device)
        for tower in (clip.image, clip.text):
            compile_blocks(tower)


def _check_anchors(targets: Sequence[TextTargets], processes: Processes) -> None:
    if small := [target for target in targets if target.batch < processes.count]:
        raise InputError(
            f"loss.anchors: expected at least a text a step for each of {processes.count} processes, got {small[0].batch}"
        )


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


def _validator(
    recipe: Recipe, model: BuiltModel, device: torch.device, observer: Observer, processes: Processes
) -> Validator | None:
    if recipe.validation is None:
        return None
    validator = make_validator(recipe, recipe.validation, model.clip, model.tokenizer, device, processes)
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
