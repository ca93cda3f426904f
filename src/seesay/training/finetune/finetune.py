"""Fine-tunes a model on a table of pictures, and compares it with what it was."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from seesay.errors import InputError
from seesay.evaluation import linear_probe
from seesay.evaluation.datasets import read_labels
from seesay.evaluation.features import picture_features
from seesay.evaluation.head import Head, write_head
from seesay.evaluation.report import Report
from seesay.model import Model, load
from seesay.render.report import write_html
from seesay.system.files import write_atomically
from seesay.system.paths import printable
from seesay.system.progress import NamedProgress
from seesay.system.schema import to_json
from seesay.tasks.prompts import TEMPLATES
from seesay.training.finetune.anchors import write_anchors
from seesay.training.finetune.comparison import Comparison, compare_captions, compare_kept, compare_labels
from seesay.training.finetune.page import page_of
from seesay.training.finetune.settings import FineTuning
from seesay.training.finetune.tables import Tables, prepare_tables

HEAD, PAGE = "head.npz", "comparison.html"


@dataclass(frozen=True)
class Outcome:
    """A finished fine-tuning: its model's folder and its adapter's, or the file of its head; and the page that compares.

    stopped: after how many of how many steps, where it was interrupted; then there is nothing else yet.
    """

    tables: Tables
    model: Path | None = None
    adapter: Path | None = None
    head: Path | None = None
    page: Path | None = None
    comparison: Comparison | None = None
    stopped: tuple[int, int] | None = None


def fine_tune(
    settings: FineTuning,
    *,
    keep: Path | None = None,
    resume: bool = False,
    observer: Any = None,
    progress: NamedProgress | None = None,
) -> Outcome:
    """Trains as the settings say and writes the result into their folder `out`. keep: a table of other pictures with labels, on
    which accuracy should stay. resume: goes on with an interrupted run. observer: a `run.observer.Observer`.

    Raises InputError, ModelError, TrainingError, MissingExtra.
    """
    if settings.method == "probe":
        return _probe(settings, keep, progress)
    from seesay.training.finetune.defaults import Start, recipe_of
    from seesay.training.run.observer import Observer
    from seesay.training.trainer import train

    tables = prepare_tables(settings)
    start, before = Start.of(settings.model), load(settings.model)
    anchored = tables.kind == "labels" and settings.anchor > 0
    anchors = write_anchors(settings, tables, before, observer or Observer()) if anchored else None
    recipe = recipe_of(settings, tables, start, anchors)
    result = train(recipe, resume=resume, observer=observer)
    if result.model is None:
        return Outcome(tables, stopped=(result.step, result.steps))
    after = load(result.model)
    templates = recipe.validation.templates if recipe.validation is not None else TEMPLATES
    comparison = _compare(before, after, tables, templates, None, keep, progress)
    page = _write_page(settings, tables, comparison, f"weights of step {result.best['step'] if result.best else result.step}")
    return Outcome(tables, result.model, result.adapter, page=page, comparison=comparison)


def _probe(settings: FineTuning, keep: Path | None, progress: NamedProgress | None) -> Outcome:
    """A linear probe on the vectors of the model, which stays as it is."""
    linear_probe.require()
    tables = prepare_tables(settings)
    if tables.kind != "labels":
        raise InputError(f"a probe learns labels; expected a column {settings.label_column} in {printable(settings.data)}")
    model = load(settings.model)
    train = read_labels(tables.train, names=tables.names)
    features = picture_features(model, train.images, progress=progress)
    labels = train.labels[features.readable]
    fit = linear_probe.fit_probe(
        features.vectors, labels, len(train.names), generator=np.random.default_rng(settings.seed), progress=progress
    )
    weight, bias = (np.asarray(part, dtype=np.float32) for part in (fit.weight, fit.bias))
    head = Head(train.names, weight, bias, model.space_id, model.name)
    file = settings.out / HEAD
    write_head(file, head)
    comparison = _compare(model, model, tables, TEMPLATES, head, None, progress)
    page = _write_page(settings, tables, comparison, f"regularisation C = {fit.c:.3g}")
    return Outcome(tables, head=file, page=page, comparison=comparison)


def _compare(
    before: Model,
    after: Model,
    tables: Tables,
    templates: tuple[str, ...],
    head: Head | None,
    keep: Path | None,
    progress: NamedProgress | None,
) -> Comparison:
    kept = () if head is not None else compare_kept(before, after, keep, progress)
    if tables.kind == "captions":
        scores, failed = compare_captions(before, after, tables.val, progress)
        return Comparison(scores, (), kept, failed)
    data = read_labels(tables.val, names=tables.names)
    scores, changes, failed = compare_labels(before, after, data, templates, head=head, progress=progress)
    return Comparison(scores, changes, kept, failed)


def _write_page(settings: FineTuning, tables: Tables, comparison: Comparison, chosen: str) -> Path:
    facts = [
        f"{settings.model}, {settings.method}; {chosen}",
        f"{tables.train_pictures} pictures to learn from, {tables.val_pictures} held out",
        *tables.notes,
        "in brackets 95 % intervals",
    ]
    if settings.method != "probe":
        facts.append("the held-out pictures chose the weights, so their scores after are a little too good")
    report: Report = page_of(f"{settings.out.resolve().name}: before and after", facts, comparison)
    file = settings.out / PAGE
    write_html(file, report)
    document = {"scores": to_json(comparison.scores), "kept": to_json(comparison.kept)}
    write_atomically(settings.out / "comparison.json", json.dumps(document, indent=1) + "\n")
    return file
