"""`seesay classify`: which of these labels fits a picture."""

import click
import numpy as np

from seesay.cli.output import bar, echo_failures, echo_json, failed_json, json_option, model_option, short
from seesay.library.report import Failure


@click.command()
@click.argument("images", nargs=-1, required=True, metavar="IMAGE...", type=click.Path())
@click.option("--labels", required=True, metavar="A,B,...", help="The labels to choose from, separated by commas.")
@click.option("--template", "templates", multiple=True, metavar="TEXT", help="Prompt with {} for the label; may be repeated.")
@model_option
@json_option
def classify(images: tuple[str, ...], labels: str, templates: tuple[str, ...], model: str | None, as_json: bool) -> int:
    """Say which label fits each picture (file or URL), without any training.

    Labels are words or short phrases. The probabilities compare these labels with each other and say nothing about others.
    """
    from seesay.model import load
    from seesay.tasks import zero_shot
    from seesay.tasks.prompts import TEMPLATES

    names = list(
        dict.fromkeys(label.strip() for label in labels.replace("\N{FULLWIDTH COMMA}", ",").split(",") if label.strip())
    )
    if not names:
        raise click.UsageError('--labels is empty; give words separated by commas, such as --labels "cat,dog,owl".')
    opened = load(model)
    rows, failed = [], []
    for path, vector in zip(images, opened.each_image(images), strict=True):
        if isinstance(vector, np.ndarray):
            rows.append((path, vector))
        else:
            failed.append(Failure(path, vector.reason))
    vectors = np.stack([vector for _, vector in rows]) if rows else np.empty((0, opened.dim), dtype=np.float32)
    table = zero_shot.classify(opened, vectors, names, templates or TEMPLATES)
    results = {path: dict(zip(names, map(float, p), strict=True)) for (path, _), p in zip(rows, table, strict=True)}
    if as_json:
        listed = [
            {
                "path": path,
                "best": max(p.items(), key=lambda pair: pair[1])[0],
                "probabilities": {k: round(v, 6) for k, v in p.items()},
            }
            for path, p in results.items()
        ]
        echo_json({"labels": names, "space_id": opened.space_id, "results": listed, "failed": failed_json(failed)})
    else:
        for path, probabilities in results.items():
            _print(path, probabilities)
    echo_failures(failed)
    return 1 if failed else 0


def _print(path: str, probabilities: dict[str, float]) -> None:
    click.echo(click.style(short(path), bold=True))
    ranked = sorted(probabilities.items(), key=lambda pair: -pair[1])
    for label, probability in ranked[:10]:
        click.echo(f"  {probability:6.1%}  {bar(probability, 30)}  {label}")
