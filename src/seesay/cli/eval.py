"""`seesay eval`: measures one model, or several side by side, on a table of pictures with captions or labels."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from gettext import gettext as _
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from seesay.cli.commands import Commands
from seesay.cli.language import translate
from seesay.cli.options import json_option, load_options, open_model, record
from seesay.cli.output import echo_failures, echo_json, echo_note, echo_skipped
from seesay.cli.progress import named_progress
from seesay.errors import InputError
from seesay.system.paths import printable
from seesay.system.progress import NamedProgress

if TYPE_CHECKING:
    from seesay.evaluation.generated import DistanceRun, EditRun, PromptRun
    from seesay.evaluation.report import Report
    from seesay.evaluation.runs import ClassificationRun, ProbeRun, RetrievalRun, RobustnessRun, Run
    from seesay.model import Model

F = TypeVar("F", bound=Callable[..., Any])
R = TypeVar("R", bound="Run")

CORRUPTIONS = ("noise", "blur", "jpeg", "crop", "grey")  # as in evaluation.corruptions, which costs numpy to import
LANGUAGES = ("en", "zh")


@click.group("eval", cls=Commands)
def evaluation() -> None:
    """Measure a model on your own pictures: search, classification, linear probe, robustness; and generated ones with it.

    A table (.tsv, .csv, .jsonl, .parquet) names pictures, and for each its texts or its label. Vectors are kept in the cache,
    so that a second look costs seconds.
    """


eval = evaluation  # main.py finds the command by this name


@dataclass(frozen=True, kw_only=True)
class Output:
    """Values of the options that every command here has: models, output."""

    models: tuple[str, ...]
    markdown: Path | None
    report: Path | None
    as_json: bool


@dataclass(frozen=True, kw_only=True)
class Shared(Output):
    """Values of the options that every command with a table has."""

    data: Path
    images: Path | None
    split: str | None


def _file(name: str, **options: Any) -> Callable[[F], F]:
    return click.option(name, type=click.Path(path_type=Path), **options)


TABLE_OPTIONS = (
    _file("--data", metavar="TABLE", required=True, help="Table to measure on."),
    _file("--images", metavar="DIR", help="Folder of the pictures. Default: images/ beside the table, else its own."),
    click.option("--split", help="Rows to use, where the table has a column split. Default: all."),
)
OUTPUT_OPTIONS = (
    click.option("--model", "models", multiple=True, metavar="NAME|PATH", help="Model; repeated, models are compared."),
    load_options,
    _file("--markdown", metavar="FILE", help="Write the tables as Markdown."),
    _file("--report", metavar="HTML", help="Write a page with plots and examples (extra eval)."),
    json_option,
)
shared_options = record("shared", Shared, (*TABLE_OPTIONS, *OUTPUT_OPTIONS))
output_options = record("output", Output, OUTPUT_OPTIONS)


def label_options(command: F) -> F:
    """Adds the options that say which class a picture has and what it is called."""
    for option in (
        _file("--names", metavar="FILE", help="Names of the classes: .txt, .json, .tsv or .csv (docs/evaluation.md)."),
        click.option("--label-column", default="label", show_default=True, metavar="NAME", help="Column of the labels."),
    ):
        command = option(command)
    return command


def prompt_options(command: F) -> F:
    """Adds the option for the prompts around a class's name."""
    return click.option(
        "--templates",
        default="short",
        show_default=True,
        metavar="SET|FILE",
        help="Prompts around a class's name: a set, as of seesay classify, or a file.",
    )(command)


@evaluation.command()
@shared_options
@click.option("--lang", help="Rows to use, where the table has a column lang. Default: en, where there is any.")
def retrieval(shared: Shared, lang: str | None) -> int:
    """Search: how often a text finds its picture, and a picture one of its texts, among the first 1, 5, 10."""
    from seesay.evaluation.datasets import read_captions
    from seesay.evaluation.runs import run_retrieval
    from seesay.evaluation.summary import retrieval_report

    captions = read_captions(shared.data, shared.images, language=lang, split=shared.split)

    def run(name: str, model: "Model", progress: "NamedProgress | None") -> "RetrievalRun":
        return run_retrieval(name, model, captions, progress)

    return _measure(shared, str(shared.data), captions.notes, run, retrieval_report)


@evaluation.command("zero-shot")
@shared_options
@label_options
@prompt_options
@click.option("--lang", type=click.Choice(LANGUAGES), default="en", show_default=True, help="Language of the prompts.")
def zero_shot(shared: Shared, label_column: str, names: Path | None, templates: str, lang: str) -> int:
    """Classification by names alone: top-1, top-5, recall per class, what is taken for what."""
    from seesay.evaluation.datasets import read_labels
    from seesay.evaluation.runs import run_zero_shot
    from seesay.evaluation.summary import zero_shot_report
    from seesay.evaluation.templates import read_templates

    labels = read_labels(shared.data, shared.images, column=label_column, split=shared.split, names=names)
    prompts = read_templates(templates, lang)

    def run(name: str, model: "Model", progress: "NamedProgress | None") -> "ClassificationRun":
        return run_zero_shot(name, model, labels, prompts, progress)

    return _measure(shared, str(shared.data), labels.notes, run, zero_shot_report)


@evaluation.command("linear-probe")
@shared_options
@label_options
@_file("--train", metavar="TABLE", required=True, help="Table to learn from.")
@click.option("--train-split", help="Its rows to use, where it has a column split.")
@click.option("--shots", type=click.IntRange(1), metavar="K", help="Learn from K pictures of each class only.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Chooses the shots and the validation part.")
def linear_probe(
    shared: Shared,
    label_column: str,
    names: Path | None,
    train: Path,
    train_split: str | None,
    shots: int | None,
    seed: int,
) -> int:
    """Classification learnt on frozen vectors, by logistic regression (extra eval)."""
    from seesay.evaluation.datasets import read_labels, with_same_names
    from seesay.evaluation.linear_probe import require
    from seesay.evaluation.runs import run_linear_probe
    from seesay.evaluation.summary import linear_probe_report

    require()  # before the long work
    training, test = with_same_names(
        read_labels(train, shared.images, column=label_column, split=train_split, names=names),
        read_labels(shared.data, shared.images, column=label_column, split=shared.split, names=names),
    )

    def run(name: str, model: "Model", progress: "NamedProgress | None") -> "ProbeRun":
        return run_linear_probe(name, model, training, test, shots=shots, seed=seed, progress=progress)

    return _measure(shared, str(shared.data), test.notes, run, linear_probe_report)


@evaluation.command()
@shared_options
@label_options
@prompt_options
@click.option("--lang", help="Of captions: rows to use. Of labels: language of the prompts, en or zh.")
@click.option("--corruption", "corruptions", multiple=True, type=click.Choice(CORRUPTIONS), help="Only this; may be repeated.")
@click.option("--severity", "severities", multiple=True, type=click.IntRange(1, 5), help="Only this; may be repeated.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the noise and the crops.")
def robustness(
    shared: Shared,
    label_column: str,
    names: Path | None,
    templates: str,
    lang: str | None,
    corruptions: tuple[str, ...],
    severities: tuple[int, ...],
    seed: int,
) -> int:
    """What is left of the scores under noise, blur, JPEG, cropping and loss of colour.

    A table of captions is measured by recall at 1, one of labels by top-1; where it has both, labels are used.
    """
    from seesay.evaluation.corruptions import SEVERITIES
    from seesay.evaluation.datasets import read_either
    from seesay.evaluation.runs import run_robustness
    from seesay.evaluation.summary import robustness_report
    from seesay.evaluation.templates import read_templates

    either = read_either(shared.data, shared.images, language=lang, split=shared.split, column=label_column, names=names)
    data = either.labels or either.captions
    assert data is not None
    prompts = read_templates(templates, lang or "en") if either.labels else ()
    chosen = tuple(dict.fromkeys(corruptions)) or CORRUPTIONS
    degrees = tuple(sorted(set(severities))) or SEVERITIES

    def run(name: str, model: "Model", progress: "NamedProgress | None") -> "RobustnessRun":
        return run_robustness(name, model, data, chosen, degrees, templates=prompts, seed=seed, progress=progress)

    return _measure(shared, str(shared.data), data.notes, run, robustness_report)


@evaluation.command("clipscore")
@shared_options
@click.option("--lang", help="Rows to use, where the table has a column lang. Default: en, where there is any.")
@click.option("--prefix", default="", metavar="TEXT", help='Put before each prompt; the paper has "A photo depicts ".')
@_file("--aesthetic", metavar="FILE", help="Also score with this aesthetic head (docs/generation.md).")
def clipscore(shared: Shared, lang: str | None, prefix: str, aesthetic: Path | None) -> int:
    """Generated pictures with their prompts: CLIPScore, and RefCLIPScore where the table has references.

    --data is a table with the columns image and prompt, or a folder with pictures and prompts.tsv or prompts.txt, or with a
    .txt beside each picture.
    """
    from seesay.evaluation.aesthetics import read_head
    from seesay.evaluation.generated import run_prompts
    from seesay.evaluation.generated_summary import prompt_report
    from seesay.evaluation.prompts import read_prompts

    prompts = read_prompts(shared.data, shared.images, language=lang, split=shared.split)
    head = None if aesthetic is None else read_head(aesthetic)

    def run(name: str, model: "Model", progress: "NamedProgress | None") -> "PromptRun":
        return run_prompts(name, model, prompts, prefix=prefix, head=head, progress=progress)

    return _measure(shared, str(shared.data), prompts.notes, run, prompt_report)


@evaluation.command()
@shared_options
def edits(shared: Shared) -> int:
    """Edited pictures: whether each changed the way that its texts did (directional similarity), and how much was kept.

    The table has the columns before and after (pictures), source and target (texts).
    """
    from seesay.evaluation.generated import run_edits
    from seesay.evaluation.generated_summary import edit_report
    from seesay.evaluation.prompts import read_edits

    data = read_edits(shared.data, shared.images, split=shared.split)

    def run(name: str, model: "Model", progress: "NamedProgress | None") -> "EditRun":
        return run_edits(name, model, data, progress)

    return _measure(shared, str(shared.data), data.notes, run, edit_report)


@evaluation.command()
@click.argument("first", metavar="FOLDER", type=click.Path())
@click.argument("second", metavar="FOLDER", type=click.Path())
@output_options
def distance(first: str, second: str, output: Output) -> int:
    """How far the pictures of two folders lie apart as a whole, such as real and generated ones: CMMD, Fréchet distance."""
    from seesay.cli.pictures import Pictures  # not for --help, which loads no numpy
    from seesay.evaluation.generated import run_distance
    from seesay.evaluation.generated_summary import distance_report

    sides = [Pictures.given([each]) for each in (first, second)]
    for folder, side in zip((first, second), sides, strict=True):
        echo_failures(side.failed)
        echo_skipped(side.skipped)
        if not side.paths:
            raise InputError(_("there are no pictures in {folder}").format(folder=printable(folder)))

    def run(name: str, model: "Model", progress: "NamedProgress | None") -> "DistanceRun":
        return run_distance(name, model, sides[0].paths, sides[1].paths, progress)

    return _measure(output, f"{printable(first)}, {printable(second)}", (), run, distance_report)


def _measure(
    output: Output,
    title: str,
    notes: Sequence[str],
    run: "Callable[[str, Model, NamedProgress | None], R]",
    describe: "Callable[[Sequence[R], str, bool], Report]",
) -> int:
    """Runs every model, prints the scores and writes the files that were asked for."""
    from seesay.library.indexing.report import Failure  # not for --help, which loads no numpy

    _check_page(output.report)
    for note in notes:
        echo_note(translate(note))
    runs: list[R] = []
    for name in dict.fromkeys(output.models) or (None,):
        model = open_model(name)
        with named_progress(quiet=output.as_json) as progress:
            runs.append(run(name or model.name, model, progress))
        for note in runs[-1].notes:
            echo_note(f"{runs[-1].model.name}: {translate(note)}")
    report = describe(runs, title, output.report is not None)
    _write_files(output, report)
    if output.as_json:
        results = [each.to_json() for each in runs]
        echo_json(results[0] if len(results) == 1 else {"models": results})
    else:
        _print(report)
    for file in filter(None, (output.markdown, output.report)):
        click.echo(_("seesay: wrote {written}").format(written=printable(file)), err=True)
    failed = {path: reason for each in runs for path, reason in each.failed.items()}
    echo_failures(Failure(path, reason) for path, reason in failed.items())
    return 1 if failed else 0


def _check_page(page: Path | None) -> None:
    """Raises UsageError, MissingExtra before the long work."""
    if page is None:
        return
    if page.suffix.lower() not in (".html", ".htm"):
        raise click.UsageError(_("--report writes a page for a browser; name it .html, not {name}").format(name=page.name))
    from seesay.render.plots import require

    require()


def _write_files(output: Output, report: "Report") -> None:
    from seesay.render.page import write
    from seesay.render.report import to_markdown, write_html

    if output.markdown is not None:
        write(output.markdown, to_markdown(report), "tables")
    if output.report is not None:
        write_html(output.report, report)


def _print(report: "Report") -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    for fact in report.facts:
        console.print(Text(translate(fact)), soft_wrap=True)
    for table in report.tables:
        if not table.rows:
            continue
        console.print(Text(f"\n{translate(table.title)}", style="bold"), soft_wrap=True)
        drawn = Table(box=None, pad_edge=False)
        for number, column in enumerate(table.columns):
            drawn.add_column(
                Text(translate(column)), justify="right" if number else "left", no_wrap=number > 0, overflow="fold"
            )
        for row in table.rows[: table.shown]:
            drawn.add_row(*map(Text, row))
        console.print(drawn)
        if len(table.rows) > table.shown:
            console.print(
                _("... and {shown} more; --json, --markdown and --report have all").format(shown=len(table.rows) - table.shown)
            )
