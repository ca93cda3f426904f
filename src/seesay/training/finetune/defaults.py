"""The recipe of a fine-tuning: defaults that suit a few hundred or thousand pictures on one machine."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from seesay.checkpoints.hub.locate import locate
from seesay.checkpoints.overrides import Overrides
from seesay.checkpoints.reader import open_checkpoint
from seesay.models.clip import Clip
from seesay.models.layers.lora import LoraConfig, target_names
from seesay.system.chinese import is_chinese
from seesay.system.paths import absolute
from seesay.tasks.prompts import TEMPLATES, TEMPLATES_ZH
from seesay.training.data.class_table import ClassTable
from seesay.training.data.manifest import Manifest
from seesay.training.finetune.settings import FineTuning
from seesay.training.finetune.tables import Tables
from seesay.training.recipe import (
    Anchors,
    Checkpoints,
    Data,
    ImageTowerRecipe,
    Loss,
    ModelRecipe,
    Optimizer,
    Recipe,
    TextTowerRecipe,
    Validation,
)

EPOCHS = 10.0
LEAST_EPOCH = 8  # steps: fewer pictures are seen several times before the held-out ones are asked, and patience counts one
WARMUP = 0.1  # share of the steps
# Of the methods: LoRA begins at zero and needs a higher rate; convolutions learn at a higher rate than attention.
RATES = {("lora", True): 5e-4, ("lora", False): 5e-3, ("full", True): 1e-5, ("full", False): 3e-4}
LAYER_DECAY = 0.75


@dataclass(frozen=True)
class Start:
    """What the defaults depend on. attention: of the image tower. cached: how many last groups of it run on stored features,
    where that is more than the projection. sigmoid: how the model was trained, and makes probabilities."""

    attention: bool
    text_attention: bool
    cached: int | None
    sigmoid: bool = False

    @classmethod
    def of(cls, model: str) -> "Start":
        """Opens no weights. Raises InputError, ModelError."""
        path, entry = locate(model)
        checkpoint = open_checkpoint(path, Overrides(entry=entry) if entry else None)
        clip: Clip = checkpoint.check_towers()
        cached = clip.image.cached_groups
        has = (bool(target_names(tower, "attention")) for tower in (clip.image, clip.text))
        own = cached if cached is not None and cached > 1 else None
        return cls(next(has), next(has), own, checkpoint.config().score == "sigmoid")


def recipe_of(settings: FineTuning, tables: Tables, start: Start, anchors: Path | None = None) -> Recipe:
    """The recipe of a fine-tuning that trains; anchors: a file of pictures with their vectors. Raises InputError.

    The text tower learns from captions only: class names alone would teach it to forget. Of an image tower whose first layers
    run once for each picture (the bundled model's), only the last ones learn. A model with a sigmoid keeps it, and learns by
    contrast, whose pairs the sigmoid is of.
    """
    captions = tables.kind == "captions"
    in_batch = captions or settings.loss == "contrast" or (settings.loss is None and start.sigmoid)
    epoch = max(LEAST_EPOCH, round(tables.train_pictures / settings.batch))
    steps = round(EPOCHS * epoch)
    if settings.epochs is not None:
        steps = max(1, round(settings.epochs * tables.train_pictures / settings.batch))
    rate = settings.learning_rate or RATES[settings.method, start.attention]
    return Recipe(
        name=settings.out.resolve().name,
        model=_towers(settings, start, train_text=captions),
        data=Data(sources=(_source(tables),), batch=settings.batch),
        optimizer=Optimizer(
            learning_rate=rate,
            betas=(0.9, 0.98),
            weight_decay=0.05,
            warmup=round(WARMUP * steps),
            clip_norm=1.0,
            layer_decay=1.0 if settings.method == "lora" else LAYER_DECAY,
        ),
        loss=Loss(
            kind="sigmoid" if start.sigmoid else "infonce",
            candidates="batch" if in_batch else "classes",
            learn_temperature=False,
            anchors=() if anchors is None else (_anchors(anchors, settings),),
        ),
        steps=steps,
        seed=settings.seed,
        threads=settings.threads,
        validation=_validation(tables, settings, epoch),
        checkpoints=Checkpoints(every=epoch, keep=1),
        out=str(settings.out),
    )


def _towers(settings: FineTuning, start: Start, *, train_text: bool) -> ModelRecipe:
    lora = LoraConfig(rank=settings.rank, alpha=2.0 * settings.rank)
    image = ImageTowerRecipe(unlocked_groups=start.cached, keep_statistics=True)
    text = TextTowerRecipe(unlocked_groups=None if train_text else 0)
    if settings.method == "lora":
        own = lora if start.attention else replace(lora, targets=("pointwise", "projection"))
        image = replace(image, lora=own)
        if train_text:
            text = replace(text, lora=lora) if start.text_attention else replace(text, unlocked_groups=0)
    return ModelRecipe(image=image, text=text, start=_start_name(settings.model))


def _anchors(file: Path, settings: FineTuning) -> Anchors:
    return Anchors(path=absolute(file), kind="pictures", batch=settings.batch, weight=settings.anchor)


def _start_name(model: str) -> str:
    """A path as an absolute one, since a recipe's paths are relative to its folder."""
    return absolute(model) if Path(model).expanduser().exists() else model


def _templates(tables: Tables) -> tuple[str, ...]:
    assert tables.names is not None
    names = tables.names.read_text(encoding="utf-8").splitlines()
    return TEMPLATES_ZH if sum(map(is_chinese, names)) > len(names) / 2 else TEMPLATES


def _source(tables: Tables) -> Any:
    path = absolute(tables.train)
    if tables.names is None:
        return Manifest(path=path)
    return ClassTable(path=path, names=absolute(tables.names), templates=_templates(tables))


def _validation(tables: Tables, settings: FineTuning, epoch: int) -> Validation:
    validation = Validation(data=absolute(tables.val), every=epoch, patience=settings.patience, at_start=True)
    if tables.names is None:
        return validation
    return replace(validation, label_column="label", names=absolute(tables.names), templates=_templates(tables))
