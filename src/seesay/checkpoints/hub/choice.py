"""Ranks published models for a language, a task and a machine (`choices`): by published score, with estimated needs."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from seesay.checkpoints.hub.catalog import CatalogModel, PublishedScore, architecture, catalog
from seesay.checkpoints.hub.graphs import graphs_of
from seesay.checkpoints.hub.inventory import prepared_names
from seesay.checkpoints.hub.locate import BUNDLED
from seesay.engines.onnx import OnnxEngine
from seesay.engines.speed import machine_speed, processor_time_s
from seesay.models import size
from seesay.models.config import read_config

Task = Literal["retrieval", "zero-shot"]
TASKS: tuple[Task, ...] = get_args(Task)
# The published tasks that a model is ranked by, per language in order of preference. Those of English come last: a model
# of many languages that was never scored in this one still stands behind those that were.
RANKED_BY: dict[Task, dict[str, tuple[str, ...]]] = {
    "retrieval": {
        "en": ("COCO text to image", "Flickr30k text to image"),
        "zh": ("COCO-CN text to image", "Flickr30K-CN text to image", "MUGE text to image"),
    },
    "zero-shot": {"en": ("ImageNet-1k zero-shot",), "zh": ("ImageNet-CN zero-shot",)},
}


@dataclass(frozen=True)
class Choice:
    """A published model with what it is ranked by, and its estimated needs in float32 on this machine.

    name: as `seesay.load` takes it. score: None where none was published for the task. without_torch: whether it runs on the
    base install here, because others exported its graphs or it was prepared before.
    """

    name: str
    model: CatalogModel
    score: PublishedScore | None
    memory_mb: float
    images_per_s: float
    texts_per_s: float
    without_torch: bool


def choices(
    language: str,
    task: Task,
    *,
    memory_mb: float,
    multiplications_per_s: float,
    no_torch: bool = False,
) -> list[Choice]:
    """The models of a language that fit into the memory, the best first: by their score on the language's own tasks (the first
    of these before the next), then those scored in English only, then those without a score.

    multiplications_per_s: of this machine (`engines.speed`). no_torch: only models that run without torch here.
    """
    prepared = prepared_names()
    own = RANKED_BY[task].get(language, ())
    order = (*own, *(each for each in RANKED_BY[task]["en"] if each not in own))
    found = [
        _choice(model, order, multiplications_per_s * size.EFFICIENCY, model.id in prepared, no_torch)
        for model in catalog().models
        if model.speaks(language) and size.memory_mb(model.parameters) <= memory_mb
    ]
    found.sort(key=lambda choice: (order.index(choice.score.task), -choice.score.value) if choice.score else (len(order), 0.0))
    return [choice for choice in found if choice.without_torch] if no_torch else found


def headline(model: CatalogModel, language: str, task: Task = "zero-shot") -> PublishedScore | None:
    """The score that represents a model: of the language's own tasks, or else of the English ones; None without any."""
    ranked = RANKED_BY[task]
    return next(_scores(model, (*ranked.get(language, ()), *ranked["en"])), None)


def measured_bundled() -> tuple[float, float]:
    """Pictures a second of the bundled model: as estimated for any other, and as measured now on one core, times the cores."""
    config, engine = read_config(BUNDLED), OnnxEngine(BUNDLED, threads=1)
    assert config.image is not None
    pixels = np.zeros((1, 3, config.image.image_px, config.image.image_px), np.float32)
    speed = machine_speed()
    estimated = speed.multiplications_per_s * size.EFFICIENCY / size.operations(config.image, config.dim)
    return estimated, speed.cores / processor_time_s(lambda: engine.encode_pixels(pixels))


def _choice(model: CatalogModel, order: tuple[str, ...], per_s: float, is_prepared: bool, no_torch: bool) -> Choice:
    towers, graphs = architecture(model.architecture), graphs_of(model)
    return Choice(
        name=f"hf:{graphs[0]}" if no_torch and graphs and not is_prepared else model.id,
        model=model,
        score=next(_scores(model, order), None),
        memory_mb=size.memory_mb(model.parameters),
        images_per_s=per_s / size.operations(towers.image, towers.dim),
        texts_per_s=per_s / size.operations(towers.text, towers.dim),
        without_torch=is_prepared or bool(graphs),
    )


def _scores(model: CatalogModel, tasks: tuple[str, ...]) -> Iterator[PublishedScore]:
    """The model's scores of these tasks, in the tasks' order."""
    for task in tasks:
        yield from (score for score in model.scores if score.task == task)
