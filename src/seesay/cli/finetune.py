"""`seesay finetune`: bends a model to pictures of your own, and shows what that gained and cost."""

import sys
from collections.abc import Callable, Sequence
from gettext import gettext as _
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from seesay.cli.language import translate
from seesay.cli.options import json_option
from seesay.cli.output import echo_failures, echo_json, echo_note, failures_json
from seesay.cli.progress import named_progress
from seesay.errors import MissingExtra

if TYPE_CHECKING:
    from seesay.library.indexing.report import Failure
    from seesay.training.finetune.comparison import Score
    from seesay.training.finetune.finetune import Outcome
    from seesay.training.finetune.settings import FineTuning

Command = Callable[..., Any]


def table_options(command: Command) -> Command:
    """Adds the options that say which pictures are learned."""
    for option in (
        click.option("--seed", default=0, show_default=True, help="What is held out, and every other random draw."),
        click.option(
            "--names", type=click.Path(path_type=Path), help="File with the classes' names, as for seesay eval zero-shot."
        ),
        click.option("--label-column", default="label", show_default=True, help="Column with the class."),
        click.option(
            "--images", type=click.Path(path_type=Path), help="Folder of the table's pictures. Default: images/ beside it."
        ),
        click.option(
            "--val",
            type=click.Path(path_type=Path),
            metavar="TABLE",
            help="Pictures held out. Default: those with val in a column split, else a fifth of each class.",
        ),
        click.option(
            "--out",
            required=True,
            type=click.Path(path_type=Path),
            metavar="FOLDER",
            help="Folder for all that comes out.",
        ),
        click.option(
            "--data",
            required=True,
            type=click.Path(path_type=Path),
            metavar="TABLE|FOLDER",
            help="Your pictures: a table of image (or path) and label, or text; or a folder with one for each label.",
        ),
        click.option("--model", default="bundled", show_default=True, metavar="NAME|PATH", help="The model to begin from."),
    ):
        command = option(command)
    return command


@click.command()
@table_options
@click.option(
    "--method",
    type=click.Choice(["lora", "full", "probe"]),
    default="lora",
    show_default=True,
    help="lora: small changes beside layers; full: the layers themselves; probe: a classifier, the model stays as it is.",
)
@click.option(
    "--loss",
    type=click.Choice(["classes", "contrast"]),
    help="Of labels. classes: cross-entropy over prompts of all classes (default); contrast: within each batch (FLYP).",
)
@click.option("--epochs", type=float, help="Passes over the pictures, unless it ends before. Default: 10.")
@click.option("--learning-rate", type=float, help="Default: by method and architecture.")
@click.option("--batch", default=32, show_default=True, help="Pictures a step.")
@click.option(
    "--others",
    type=click.Path(path_type=Path),
    metavar="FOLDER|TABLE",
    help="Other pictures, without labels, at which the model stays as it is. Default: everyday ones that come with SeeSay.",
)
@click.option("--anchor", default=10.0, show_default=True, help="How strongly it stays there; 0: not at all.")
@click.option("--rank", default=8, show_default=True, help="Of lora.")
@click.option("--patience", default=3, show_default=True, help="It ends after so many epochs that were no better.")
@click.option("--threads", type=int, help="Of the CPU. Default: all that are free; on a busy machine 1 may be faster.")
@click.option(
    "--keep",
    type=click.Path(path_type=Path),
    metavar="TABLE",
    help="Other pictures with labels: how much of their accuracy is kept is measured too.",
)
@click.option("--resume", is_flag=True, help="Go on with a run that was stopped.")
@json_option
def finetune(keep: Path | None, resume: bool, as_json: bool, **settings: Any) -> int:
    """Fine-tune a model on a table of your pictures, with settings for little data, and compare it with what it was.

    The folder gets the model, with lora its adapter, and a page of what changed: comparison.html. Pictures are held out to
    choose the best weights and the end. Ctrl-C stops after the step at hand; --resume goes on, also after a kill.
    """
    return _run(settings, keep=keep, resume=resume, as_json=as_json)


@click.command()
@table_options
@json_option
def probe(as_json: bool, **settings: Any) -> int:
    """Train a linear probe: a classifier on a model's vectors, for `seesay classify --head FILE` (extra eval).

    It takes seconds, needs no torch, and leaves the model as it is. The same as seesay finetune --method probe.
    """
    return _run({**settings, "method": "probe"}, as_json=as_json)


def _run(values: dict[str, Any], *, as_json: bool, keep: Path | None = None, resume: bool = False) -> int:
    from seesay.training.finetune.settings import FineTuning

    settings = FineTuning(**values)
    quiet = as_json or not sys.stderr.isatty()
    if settings.method == "probe":
        from seesay.training.finetune.finetune import fine_tune

        with named_progress(quiet=quiet) as progress:
            outcome = fine_tune(settings, progress=progress)
    else:
        outcome = _train(settings, keep, resume, quiet)
    if as_json:
        echo_json(_json(outcome, settings))
    else:
        _print(outcome, settings)
    echo_failures(_failures(outcome))
    return 130 if outcome.stopped else 0


def _train(settings: "FineTuning", keep: Path | None, resume: bool, quiet: bool) -> "Outcome":
    try:
        import torch  # noqa: F401
    except ImportError:
        raise MissingExtra("fine-tuning", "train") from None
    from seesay.cli.training_display import training_display
    from seesay.training.finetune.finetune import fine_tune

    with training_display(quiet=quiet) as display:
        return fine_tune(settings, keep=keep, resume=resume, observer=display)


def _failures(outcome: "Outcome") -> "list[Failure]":
    from seesay.library.indexing.report import Failure

    failed = {} if outcome.comparison is None else outcome.comparison.failed
    return [Failure(path, reason) for path, reason in failed.items()]


def _json(outcome: "Outcome", settings: "FineTuning") -> dict[str, object]:
    comparison = outcome.comparison
    changes = () if comparison is None else comparison.changes
    improved = sum(change.improved for change in changes)
    return {
        "method": settings.method,
        "kind": outcome.tables.kind,
        "train_pictures": outcome.tables.train_pictures,
        "val_pictures": outcome.tables.val_pictures,
        "notes": list(outcome.tables.notes),
        **{name: str(file) for name, file in _results(outcome).items()},
        "scores": [_score_json(score) for score in comparison.scores] if comparison else [],
        "kept": [_score_json(score) for score in comparison.kept] if comparison else [],
        "now_right": improved,
        "now_wrong": len(changes) - improved,
        "stopped": None if outcome.stopped is None else {"step": outcome.stopped[0], "steps": outcome.stopped[1]},
        "failed": failures_json(_failures(outcome)),
    }


def _results(outcome: "Outcome") -> dict[str, Path]:
    files = {"model": outcome.model, "adapter": outcome.adapter, "head": outcome.head, "page": outcome.page}
    return {name: file for name, file in files.items() if file is not None}


def _score_json(score: "Score") -> dict[str, object]:
    def pair(bounds: tuple[float, float]) -> list[float]:
        return [round(bound, 6) for bound in bounds]

    return {
        "name": score.name,
        "before": round(score.before, 6),
        "after": round(score.after, 6),
        "before_interval": pair(score.before_bounds),
        "after_interval": pair(score.after_bounds),
        "difference_interval": pair(score.difference_bounds),
    }


def _print(outcome: "Outcome", settings: "FineTuning") -> None:
    for note in outcome.tables.notes:
        echo_note(translate(note))
    if outcome.stopped is not None:
        step, steps = outcome.stopped
        click.echo(_("stopped after step {step} of {steps}; the same with --resume goes on").format(step=step, steps=steps))
        return
    assert outcome.comparison is not None
    click.echo(_("On {count} pictures held out:").format(count=outcome.tables.val_pictures))
    _print_scores(outcome.comparison.scores)
    if outcome.tables.kind == "labels":
        improved = sum(change.improved for change in outcome.comparison.changes)
        worse = len(outcome.comparison.changes) - improved
        shown = _("  {improved} were wrong and are right now, {worse} the other way")
        click.echo(shown.format(improved=improved, worse=worse))
    if outcome.comparison.kept:
        click.echo(_("Kept of what it knew:"))
        _print_scores(outcome.comparison.kept)
    for name, file in _results(outcome).items():
        click.echo(f"{name:10} {file}")
    _print_next(outcome, settings)


def _print_scores(scores: "Sequence[Score]") -> None:
    from seesay.evaluation.summary import share_with_interval
    from seesay.training.finetune.page import points

    for score in scores:
        click.echo(
            _("  {name}: {before} -> {after}, {points} points").format(
                name=score.name,
                before=f"{score.before:.1%}",
                after=share_with_interval(score.after, score.after_bounds),
                points=points(score.after - score.before, score.difference_bounds),
            )
        )


def _print_next(outcome: "Outcome", settings: "FineTuning") -> None:
    """What to do with the result."""
    model = "" if settings.model == "bundled" else f" --model {settings.model}"
    if outcome.head is not None:
        click.echo(_("Use it: seesay classify photo.jpg --head {head}{model}").format(head=outcome.head, model=model))
        return
    click.echo(_('Use it: seesay classify photo.jpg --labels "a,b" --model {model}').format(model=outcome.model))
    choice = f"--held-out {outcome.tables.val}" if outcome.tables.kind == "labels" else "--weight 0.5"
    click.echo(
        _("To keep more of what it knew, take the mean of both: seesay models blend {a} {b} {out} {choice}").format(
            a=settings.model, b=outcome.model, out=settings.out / "blend", choice=choice
        )
    )
