"""`seesay classify`: says which label fits each picture; sorts folders by label; compares several models side by side."""

import math
import os
from collections.abc import Sequence
from dataclasses import replace
from gettext import gettext as _
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np

from seesay.cli.options import json_option, load_options, open_model
from seesay.cli.output import echo_failures, echo_json, echo_note, echo_skipped, failures_json, short
from seesay.cli.pictures import Pictures
from seesay.cli.predictions import (
    Calibrated,
    Prediction,
    Predictions,
    echo_csv,
    echo_predictions,
    echo_side_by_side,
    models_json,
)
from seesay.cli.progress import progress_bar
from seesay.cli.rule import WEAK, Rule, rule_options
from seesay.cli.sorting import Sorting, sort, sorting_options
from seesay.errors import InputError, UnreadableImage
from seesay.library.indexing.report import Failure
from seesay.system.paths import printable
from seesay.tasks.clips import each_clip
from seesay.tasks.zero_shot import Classifier, none_of_these

if TYPE_CHECKING:
    from seesay.evaluation.head import Head
    from seesay.model import Model

FEW = 20  # pictures; fewer get no bar
FEWEST = 20  # labelled pictures for --calibrate; even so many often fit a worse scale (docs/benchmarks.md)


@click.command()
@click.argument("images", nargs=-1, required=True, metavar="IMAGE|FOLDER...", type=click.Path())
@rule_options
@sorting_options
@click.option(
    "--model",
    "models",
    multiple=True,
    metavar="NAME|FOLDER",
    help="Model to use; repeated, models are compared. Default: the bundled one.",
)
@load_options
@click.option("--csv", "as_csv", is_flag=True, help="Print a table for spreadsheets: a row per picture, a column per label.")
@json_option
def classify(
    images: tuple[str, ...], rule: Rule, sorting: Sorting, models: tuple[str, ...], as_csv: bool, as_json: bool
) -> int:
    """Say which label fits each picture (file, URL or folder of them), without any training.

    Labels are words or short phrases. The probabilities compare these labels with each other and say nothing about others,
    unless --none adds "none of these"; a model that was trained with a sigmoid, such as SigLIP, gives each label a probability
    of its own. Animations count as the mean of their frames; videos are not read.
    """
    chosen: list[str | None] = [*dict.fromkeys(models)] or [None]
    if as_csv and sorting.into is not None:
        raise click.UsageError(_("--csv shows what --sort-into does not; run it without."))
    if len(chosen) > 1 and (as_csv or sorting.into is not None or rule.calibrate is not None):
        raise click.UsageError(_("--csv, --sort-into and --calibrate take one model."))
    if as_csv and as_json:
        raise click.UsageError(_("Choose one of --csv and --json."))
    pictures = _pictures(images)
    paths, failed, skipped = pictures.paths, pictures.failed, pictures.skipped
    predictions = [_predict(model, paths, rule, quiet=as_json or as_csv) for model in chosen]
    failed += {failure.path: failure for one in predictions for failure in one.failed}.values()
    document: dict[str, object] = {"labels": rule.shown, **models_json(predictions, multi=rule.multi)}
    if sorting.into is not None:
        roots = [image for image in images if os.path.isdir(image)]
        document["sorted"], unmade = sort(predictions[0].results, rule.shown, sorting, roots, quiet=as_json)
        failed += unmade
    elif not as_json:
        _echo(predictions, paths, rule, as_csv=as_csv)
    if as_json:
        echo_json({**document, "failed": failures_json(failed), **({"skipped": dict(skipped)} if skipped else {})})
    else:
        echo_skipped(skipped)
    echo_failures(failed)
    return 1 if failed else 0


def _pictures(images: Sequence[str]) -> Pictures:
    """The pictures that files, URLs and folders name. Raises InputError where there is none at all."""
    pictures = Pictures.given(images)
    if not pictures.paths and not pictures.failed:
        echo_skipped(pictures.skipped)
        raise InputError(_("no picture was found in {folders}").format(folders=", ".join(map(printable, images))))
    return pictures


def _predict(model: str | None, paths: Sequence[str], rule: Rule, *, quiet: bool) -> Predictions:
    from seesay.library.search.background import read_or_encode_phrases

    opened = open_model(model)
    if rule.head is not None:
        return _predict_by_head(model, opened, rule.head, paths, rule, quiet=quiet)
    if rule.ready in WEAK and opened.name == "bundled":
        echo_note(
            _("the bundled model does hardly better than a guess with {ready}; a larger model may").format(ready=rule.ready)
        )
    softmax = opened.logits.score == "softmax"
    classifier = Classifier.of(opened, rule.labels, rule.templates, rule.names)
    if len(rule.labels) == 1 and softmax and not rule.none and not rule.multi:
        raise InputError(
            _('one label alone always gets 100 %: give more, separated by commas, or add --none ("none of these")')
        )
    calibrated = None
    if rule.calibrate is not None:
        classifier, calibrated = _calibrate(opened, classifier, Path(rule.calibrate), rule.frames)
    vectors, failed = _vectors(opened, paths, rule.frames, quiet=quiet)
    images = np.stack(list(vectors.values())) if vectors else np.empty((0, opened.dim), dtype=np.float32)
    needs_rest = rule.none or (rule.multi and softmax)
    rest = none_of_these(images, read_or_encode_phrases(opened)) if needs_rest else None
    judge = _multi if rule.multi else _single
    results = judge(classifier, list(vectors), images, rest, rule)
    return Predictions(model, opened.space_id, opened.logits.score, results, failed, calibrated)


def _predict_by_head(
    model: str | None, opened: "Model", head: "Head", paths: Sequence[str], rule: Rule, *, quiet: bool
) -> Predictions:
    """Raises InputError for a head of another model."""
    head.check_space(opened.space_id, opened.name)
    vectors, failed = _vectors(opened, paths, rule.frames, quiet=quiet)
    images = np.stack(list(vectors.values())) if vectors else np.empty((0, opened.dim), dtype=np.float32)
    results = _decided(list(vectors), head.probabilities(images), None, rule)
    return Predictions(model, opened.space_id, "softmax", results, failed)


def _single(
    classifier: Classifier, paths: list[str], images: np.ndarray, rest: np.ndarray | None, rule: Rule
) -> list[Prediction]:
    return _decided(paths, classifier.probabilities(images, rest), rest, rule)


def _decided(paths: list[str], table: np.ndarray, rest: np.ndarray | None, rule: Rule) -> list[Prediction]:
    """Probabilities (N, labels), with `rest` a further column of "none of these" -> the best label of each picture."""
    results = []
    for path, row in zip(paths, table.tolist(), strict=True):
        best = max(range(len(row)), key=row.__getitem__)
        fits = best < len(rule.labels) and row[best] >= rule.least
        none = row.pop() if rest is not None else None
        results.append(Prediction(path, dict(zip(rule.shown, row, strict=True)), none, (rule.shown[best],) if fits else ()))
    return results


def _multi(
    classifier: Classifier, paths: list[str], images: np.ndarray, rest: np.ndarray | None, rule: Rule
) -> list[Prediction]:
    table = classifier.probabilities(images) if rest is None else classifier.single_probabilities(images, rest)
    results = []
    for path, row in zip(paths, table.tolist(), strict=True):
        by_label = dict(zip(rule.shown, row, strict=True))
        fitting = sorted((label for label, p in by_label.items() if p >= rule.least), key=lambda label: -by_label[label])
        results.append(Prediction(path, by_label, None, tuple(fitting)))
    return results


def _vectors(model: "Model", paths: Sequence[str], frames: int, *, quiet: bool) -> tuple[dict[str, np.ndarray], list[Failure]]:
    vectors, failed = {}, []
    each = each_clip(model, paths, frames) if frames > 1 else model.each_image(paths)
    with progress_bar(_("Classifying"), quiet=quiet or len(paths) < FEW) as progress:
        for done, (path, vector) in enumerate(zip(paths, each, strict=True), start=1):
            if isinstance(vector, UnreadableImage):
                failed.append(Failure(path, vector.reason))
            else:
                vectors[path] = vector
            if progress is not None:
                progress(done, len(paths))
    return vectors, failed


def _calibrate(model: "Model", classifier: Classifier, table: Path, frames: int) -> tuple[Classifier, Calibrated]:
    """The classifier at the scale that fits the labelled pictures of a table. Raises InputError, UnreadableImage."""
    from seesay.evaluation.datasets import read_labels
    from seesay.tasks.calibration import SCALES, expected_calibration_error, fitted_scale, held_out

    if model.logits.score == "sigmoid":
        raise InputError(_("this model gives each label a probability of its own (sigmoid); --calibrate is for softmax"))
    data = read_labels(table)
    if len(data.images) < FEWEST:
        raise InputError(
            _("{table} has {count} labelled pictures; --calibrate needs {least} or more, and better 100").format(
                table=printable(table), count=len(data.images), least=FEWEST
            )
        )
    number = {name.casefold(): i for i, label in enumerate(classifier.labels) for name in (label.name, *label.names)}
    if missing := [name for name in data.names if name.casefold() not in number]:
        raise InputError(
            _("{table} has {label!r}, which is none of the labels; add it, or leave that out").format(
                table=printable(table), label=missing[0]
            )
        )
    labels = np.array([number[data.names[i].casefold()] for i in data.labels])
    found, failed = _vectors(model, [str(image) for image in data.images], frames, quiet=True)
    if failed:
        raise UnreadableImage(failed[0].path, failed[0].reason)
    shuffled = np.random.default_rng(0).permutation(len(labels))
    cosines, labels = classifier.cosines(np.stack(list(found.values())))[shuffled], labels[shuffled]
    before = expected_calibration_error(classifier.logits.probabilities(cosines), labels)
    after = expected_calibration_error(held_out(cosines, labels), labels)
    # The model's own scale stays where the fitted one is no better on other pictures, or where all are right and it has no end.
    scale = fitted_scale(cosines, labels)
    if after >= before or scale in SCALES:
        scale = classifier.logits.scale
    calibrated = Calibrated(len(labels), classifier.logits.scale, scale, before, after)
    return replace(classifier, logits=replace(classifier.logits, logit_scale=math.log(scale))), calibrated


def _echo(predictions: Sequence[Predictions], paths: Sequence[str], rule: Rule, *, as_csv: bool) -> None:
    if as_csv:
        echo_csv(predictions[0], rule.shown, none=rule.none)
    elif len(predictions) == 1:
        echo_predictions(predictions[0])
    else:
        for path in paths:
            if any(path in one.by_path for one in predictions):
                echo_side_by_side(path, rule.shown, predictions)
    for one in predictions:
        _note(one, multi=rule.multi)


def _note(one: Predictions, *, multi: bool) -> None:
    if one.score == "sigmoid" and one.results:
        name = "" if one.model is None else f"{short(one.model)}: "
        note = _("each label has a probability of its own (sigmoid); together they need not make 100 %")
        click.echo(name + note, err=True)
    if one.calibrated is not None and one.calibrated.scale == one.calibrated.scale_before:
        echo_note(
            _("the model's own scale is kept: one fitted on {pictures} pictures is no better on others").format(
                pictures=one.calibrated.pictures
            )
        )
    elif one.calibrated is not None:
        echo_note(
            _(
                "calibrated on {pictures} pictures: scale {scale_before:.1f} -> {scale:.1f}, calibration error "
                "{error_before:.3f} -> {error:.3f} on pictures held out"
            ).format(**one.calibrated._asdict())
        )
