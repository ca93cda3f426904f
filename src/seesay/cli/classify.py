"""`seesay classify`: says which label fits each picture; compares several models side by side."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from gettext import gettext as _

import click
import numpy as np

from seesay.cli.options import json_option, load_options, open_model
from seesay.cli.output import bar, echo_failures, echo_json, failures_json, short
from seesay.library.indexing.report import Failure

SHOWN_LABELS = 10
Probabilities = dict[str, float]  # by label


@dataclass(frozen=True)
class Predictions:
    """The probabilities that one model gives, by picture, and the pictures that it could not read."""

    model: str | None
    space_id: str
    results: dict[str, Probabilities]
    failed: list[Failure]


@click.command()
@click.argument("images", nargs=-1, required=True, metavar="IMAGE...", type=click.Path())
@click.option("--labels", required=True, metavar="A,B,...", help="The labels to choose from, separated by commas.")
@click.option("--template", "templates", multiple=True, metavar="TEXT", help="Prompt with {} for the label; may be repeated.")
@click.option(
    "--model",
    "models",
    multiple=True,
    metavar="NAME|FOLDER",
    help="Model to use; repeated, models are compared. Default: the bundled one.",
)
@load_options
@json_option
def classify(images: tuple[str, ...], labels: str, templates: tuple[str, ...], models: tuple[str, ...], as_json: bool) -> int:
    """Say which label fits each picture (file or URL), without any training.

    Labels are words or short phrases. The probabilities compare these labels with each other and say nothing about others.
    """
    names = list(dict.fromkeys(label.strip() for label in re.split("[,，、]", labels) if label.strip()))
    if not names:
        raise click.UsageError(_('--labels is empty; give words separated by commas, such as --labels "cat,dog,owl".'))
    predictions = [_predict(model, images, names, templates) for model in dict.fromkeys(models) or (None,)]
    failed = list({failure.path: failure for one in predictions for failure in one.failed}.values())
    if as_json:
        echo_json({"labels": names, **_json(predictions), "failed": failures_json(failed)})
    elif len(predictions) == 1:
        for path, probabilities in predictions[0].results.items():
            _print(path, probabilities)
    else:
        for path in dict.fromkeys(path for one in predictions for path in one.results):
            _print_side_by_side(path, names, predictions)
    echo_failures(failed)
    return 1 if failed else 0


def _predict(model: str | None, images: Sequence[str], labels: list[str], templates: tuple[str, ...]) -> Predictions:
    from seesay.tasks import zero_shot

    opened = open_model(model)
    rows, failed = [], []
    for path, vector in zip(images, opened.each_image(images), strict=True):
        if isinstance(vector, np.ndarray):
            rows.append((path, vector))
        else:
            failed.append(Failure(path, vector.reason))
    vectors = np.stack([vector for _, vector in rows]) if rows else np.empty((0, opened.dim), dtype=np.float32)
    table = zero_shot.classify(opened, vectors, labels, templates or None)
    results = {path: dict(zip(labels, map(float, p), strict=True)) for (path, _), p in zip(rows, table, strict=True)}
    return Predictions(model, opened.space_id, results, failed)


def _json(predictions: list[Predictions]) -> dict[str, object]:
    """The results of one model, or a list of those of several."""
    documents: list[dict[str, object]] = [
        {
            "space_id": one.space_id,
            "results": [
                {
                    "path": path,
                    "best": max(p.items(), key=lambda pair: pair[1])[0],
                    "probabilities": {k: round(v, 6) for k, v in p.items()},
                }
                for path, p in one.results.items()
            ],
        }
        for one in predictions
    ]
    if len(predictions) == 1:
        return documents[0]
    return {"models": [{"model": one.model, **document} for one, document in zip(predictions, documents, strict=True)]}


def _print(path: str, probabilities: Probabilities) -> None:
    click.echo(click.style(short(path), bold=True))
    ranked = sorted(probabilities.items(), key=lambda pair: -pair[1])
    for label, probability in ranked[:SHOWN_LABELS]:
        click.echo(f"  {probability:6.1%}  {bar(probability, 30)}  {label}")


def _print_side_by_side(path: str, labels: list[str], predictions: list[Predictions]) -> None:
    """Prints a column per model, the likeliest labels over all models first, each model's best in bold."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    columns = [one.results.get(path, {}) for one in predictions]  # empty if a URL could not be fetched again
    table = Table(box=None, pad_edge=False)
    table.add_column(Text(short(path), style="bold"))
    for one in predictions:
        table.add_column(Text(short(one.model or "")), justify="right", max_width=24)
    ranked = sorted(labels, key=lambda label: -sum(column.get(label, 0.0) for column in columns))
    for label in ranked[:SHOWN_LABELS]:
        cells = [
            Text(f"{p[label]:.1%}", style="bold" if p[label] == max(p.values()) else "") if p else Text("-") for p in columns
        ]
        table.add_row(Text(f"  {label}"), *cells)
    Console(highlight=False).print(table)
