"""`seesay train`: runs a recipe to its end, or resumes it."""

import sys
from gettext import gettext as _
from pathlib import Path
from typing import TYPE_CHECKING

import click

from seesay.cli.language import translate
from seesay.cli.options import json_option
from seesay.cli.output import echo_json
from seesay.errors import MissingExtra

if TYPE_CHECKING:
    from seesay.training.data.skipped import SkippedSamples
    from seesay.training.result import Result


@click.command()
@click.argument("recipe", type=click.Path(path_type=Path), metavar="RECIPE.toml")
@click.option("--set", "sets", multiple=True, metavar="KEY=VALUE", help="Change the recipe: optimizer.learning_rate=1e-3, ...")
@click.option("--resume", is_flag=True, help="Go on from the newest checkpoint in the run's folder.")
@click.option("--finish", is_flag=True, help="End a stopped run at its newest checkpoint, and write its model.")
@json_option
def train(recipe: Path, sets: tuple[str, ...], resume: bool, finish: bool, as_json: bool) -> int:
    """Train a model as a recipe says (docs/training.md).

    The run's folder gets checkpoints, a log, a page to look at and, at the end, the model: seesay search --model FOLDER/model.
    Ctrl-C stops after the step at hand, with a checkpoint; --resume goes on from there, and after any kill.
    """
    try:
        import torch  # noqa: F401
    except ImportError:
        raise MissingExtra("training", "train") from None
    from seesay.cli.training_display import training_display
    from seesay.training.process_group import processes_here
    from seesay.training.recipe import read_recipe
    from seesay.training.trainer import train as run

    with processes_here() as processes:
        run_recipe = read_recipe(recipe, sets)
        processes.begin(run_recipe.distributed.timeout_s)
        with training_display(quiet=as_json or not sys.stderr.isatty(), silent=not processes.lead) as display:
            result = run(run_recipe, resume=resume, finish=finish, observer=display, processes=processes)
    if processes.lead and as_json:
        echo_json(_json(result))
    elif processes.lead:
        _print(result)
    return 0 if result.model else 130


def _json(result: "Result") -> dict[str, object]:
    return {
        "folder": str(result.folder),
        "model": str(result.model) if result.model else None,
        **({"adapter": str(result.adapter)} if result.adapter else {}),
        "report": str(result.report),
        "step": result.step,
        "steps": result.steps,
        "best": result.best,
        "left_out": _skipped_json(result.skipped),
        "validation_left_out": _skipped_json(result.validation_skipped),
    }


def _skipped_json(skipped: "SkippedSamples") -> dict[str, object]:
    examples = [{"path": name, "reason": reason} for name, reason in skipped.examples.items()]
    return {"reasons": dict(skipped.reasons), "examples": examples}


def _print(result: "Result") -> None:
    if result.model is None:
        click.echo(
            _("stopped after step {step} of {steps}; --resume goes on, --finish writes the model as it is").format(
                step=result.step, steps=result.steps
            )
        )
    if result.best:
        ways = {"text_to_image": _("text to image"), "image_to_text": _("image to text"), "classification": _("classification")}
        for way in (way for way in ways if way in result.best):
            shares = "  ".join(f"{k} {share:.1%}" for k, share in result.best[way].items())
            click.echo(f"{ways[way]:15}{shares}   ({_('step {step}').format(step=result.best['step'])})")
    for line in (*result.skipped.lines("training"), *result.validation_skipped.lines("validation")):
        click.echo(translate(line))
    if result.model:
        click.echo(_("model          {model}").format(model=result.model))
    if result.adapter:
        click.echo(_("adapter        {adapter}").format(adapter=result.adapter))
    click.echo(_("report         {report}").format(report=result.report))
