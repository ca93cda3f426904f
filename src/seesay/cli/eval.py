"""`seesay eval`: how good a model is on a table of pictures with captions or labels; several models side by side."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from gettext import gettext as _
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from seesay.cli.commands import Commands
from seesay.cli.language import translate
from seesay.cli.options import json_option, open_model, preprocessing_option
from seesay.cli.output import echo_failures, echo_json
from seesay.system.progress import progress_lines

if TYPE_CHECKING:
    from seesay.evaluation.datasets import Captions, Labels
    from seesay.evaluation.features import Progress
    from seesay.evaluation.runs import Run
    from seesay.model import Model
    from seesay.render.report import Report

F = TypeVar("F", bound=Callable[..., Any])
R = TypeVar("R", bound="Run")

CORRUPTIONS = ("noise", "blur", "jpeg", "crop", "grey")  # evaluation.corruptions', which costs numpy to import
LANGUAGES = ("en", "zh")


@click.group("eval", cls=Commands)
def evaluation() -> None:
    """Measure a model on your own pictures: search, classification, linear probe, robustness.

    A table (.tsv, .csv, .jsonl, .parquet) names pictures, and for each its texts or its label. Vectors are kept in the cache,
    so that a second look costs seconds.
    """


eval = evaluation  # the name of the command, which is how main.py finds it


def _file(name: str, **options: Any) -> Callable[[F], F]:
    return click.option(name, type=click.Path(path_type=Path), **options)


def shared_options(command: F) -> F:
    """Which data, which models, and what is made of the scores."""
    for option in (
        json_option,
        _file("--report", metavar="HTML", help="Write a page with plots and examples (extra eval)."),
        _file("--markdown", metavar="FILE", help="Write the tables as Markdown."),
        preprocessing_option,
        click.option("--model", "models", multiple=True, metavar="NAME|PATH", help="Model; repeated, models are compared."),
        click.option("--split", help="Rows to use, where the table has a column split. Default: all."),
        _file("--images", metavar="DIR", help="Folder of the pictures. Default: images/ beside the table, else its own."),
        _file("--data", metavar="TABLE", required=True, help="Table to measure on."),
    ):
        command = option(command)
    return command


def label_options(command: F) -> F:
    for option in (
        _file("--names", metavar="FILE", help="Names of the classes: .txt, .json, .tsv or .csv (docs/evaluation.md)."),
        click.option("--label-column", default="label", show_default=True, metavar="NAME", help="Column of the labels."),
    ):
        command = option(command)
    return command


def prompt_options(command: F) -> F:
    return click.option(
        "--templates", default="short", show_default=True, metavar="short|imagenet|FILE", help="Prompts around a class's name."
    )(command)


@evaluation.command()
@shared_options
@click.option("--lang", help="Rows to use, where the table has a column lang. Default: en, where there is any.")
def retrieval(data: Path, images: Path | None, split: str | None, lang: str | None, **out: Any) -> int:
    """Search: how often a text finds its picture, and a picture one of its texts, among the first 1, 5, 10."""
    from seesay.evaluation.datasets import read_captions
    from seesay.evaluation.runs import run_retrieval
    from seesay.render import report

    captions = read_captions(data, images, language=lang, split=split)
    return _finish(
        captions, out, lambda name, model, show: run_retrieval(name, model, captions, show), report.of_retrieval, str(data)
    )


@evaluation.command("zero-shot")
@shared_options
@label_options
@prompt_options
@click.option("--lang", type=click.Choice(LANGUAGES), default="en", show_default=True, help="Language of the prompts.")
def zero_shot(
    data: Path,
    images: Path | None,
    split: str | None,
    label_column: str,
    names: Path | None,
    templates: str,
    lang: str,
    **out: Any,
) -> int:
    """Classification by names alone: top-1, top-5, recall per class, what is taken for what."""
    from seesay.evaluation.datasets import read_labels
    from seesay.evaluation.runs import run_zero_shot
    from seesay.evaluation.zero_shot import read_templates
    from seesay.render import report

    labels = read_labels(data, images, column=label_column, split=split, names=names)
    prompts = read_templates(templates, lang)
    return _finish(
        labels, out, lambda name, model, show: run_zero_shot(name, model, labels, prompts, show), report.of_zero_shot, str(data)
    )


@evaluation.command("linear-probe")
@shared_options
@label_options
@_file("--train", metavar="TABLE", required=True, help="Table to learn from.")
@click.option("--train-split", help="Its rows to use, where it has a column split.")
@click.option("--shots", type=click.IntRange(1), metavar="K", help="Learn from K pictures of each class only.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Chooses the shots and the validation part.")
def linear_probe(
    data: Path,
    images: Path | None,
    split: str | None,
    label_column: str,
    names: Path | None,
    train: Path,
    train_split: str | None,
    shots: int | None,
    seed: int,
    **out: Any,
) -> int:
    """Classification learnt on frozen vectors, by logistic regression (extra eval)."""
    from seesay.evaluation.datasets import aligned, read_labels
    from seesay.evaluation.linear_probe import require
    from seesay.evaluation.runs import run_linear_probe
    from seesay.render import report

    require()  # before the long work
    known, asked = aligned(
        read_labels(train, images, column=label_column, split=train_split, names=names),
        read_labels(data, images, column=label_column, split=split, names=names),
    )
    return _finish(
        asked,
        out,
        lambda name, model, show: run_linear_probe(name, model, known, asked, shots=shots, seed=seed, progress=show),
        report.of_linear_probe,
        str(data),
    )


@evaluation.command()
@shared_options
@label_options
@prompt_options
@click.option("--lang", help="Of captions: rows to use. Of labels: language of the prompts, en or zh.")
@click.option("--corruption", "corruptions", multiple=True, type=click.Choice(CORRUPTIONS), help="Only this; may be repeated.")
@click.option("--severity", "severities", multiple=True, type=click.IntRange(1, 5), help="Only this; may be repeated.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the noise and the crops.")
def robustness(
    data: Path,
    images: Path | None,
    split: str | None,
    label_column: str,
    names: Path | None,
    templates: str,
    lang: str | None,
    corruptions: tuple[str, ...],
    severities: tuple[int, ...],
    seed: int,
    **out: Any,
) -> int:
    """What is left of the scores under noise, blur, JPEG, cropping and loss of colour.

    A table of captions is measured by recall at 1, one of labels by top-1; where it has both, labels are used.
    """
    from seesay.evaluation.corruptions import SEVERITIES
    from seesay.evaluation.datasets import read_either
    from seesay.evaluation.runs import run_robustness
    from seesay.evaluation.zero_shot import read_templates
    from seesay.render import report

    both = read_either(data, images, language=lang, split=split, column=label_column, names=names)
    read: Captions | Labels | None = both[1] or both[0]
    assert read is not None
    prompts = read_templates(templates, lang or "en") if both[1] else ()
    chosen = tuple(dict.fromkeys(corruptions)) or CORRUPTIONS
    degrees = tuple(sorted(set(severities))) or SEVERITIES
    return _finish(
        read,
        out,
        lambda name, model, show: run_robustness(
            name, model, read, chosen, degrees, templates=prompts, seed=seed, progress=show
        ),
        report.of_robustness,
        str(data),
    )


def _finish(
    data: "Captions | Labels",
    out: dict[str, Any],
    run: "Callable[[str, Model, Progress | None], R]",
    describe: "Callable[[Sequence[R], str, bool], Report]",
    title: str,
) -> int:
    """Runs every model, prints, and writes what was asked for. `out` holds models, as_json, markdown and report."""
    from seesay.library.indexing.report import Failure
    from seesay.render.page import write
    from seesay.render.report import to_markdown, write_html
    from seesay.system.paths import printable

    page: Path | None = out["report"]
    if page is not None:
        if page.suffix.lower() not in (".html", ".htm"):
            raise click.UsageError(_("--report writes a page for a browser; name it .html, not {name}").format(name=page.name))
        from seesay.render.plots import require

        require()  # before the long work
    for note in data.notes:
        click.echo(_("seesay: note: {note}").format(note=translate(note)), err=True)
    runs: list[R] = []
    for name in dict.fromkeys(out["models"]) or (None,):
        model = open_model(name)
        with _progress(quiet=out["as_json"]) as progress:
            runs.append(run(name or model.name, model, progress))
        for note in runs[-1].notes:
            click.echo(_("seesay: note: {note}").format(note=f"{runs[-1].name}: {translate(note)}"), err=True)
    report = describe(runs, title, page is not None)
    if out["markdown"] is not None:
        write(out["markdown"], to_markdown(report), "tables")
    if page is not None:
        write_html(page, report)
    if out["as_json"]:
        found = [one.to_json() for one in runs]
        echo_json(found[0] if len(found) == 1 else {"models": found})
    else:
        _print(report)
    for written in filter(None, (out["markdown"], page)):
        click.echo(_("seesay: wrote {written}").format(written=printable(written)), err=True)
    failed = {path: reason for one in runs for path, reason in one.failed.items()}
    echo_failures(Failure(path, reason) for path, reason in failed.items())
    return 1 if failed else 0


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


@contextmanager
def _progress(quiet: bool) -> "Iterator[Progress | None]":
    """A bar on stderr for each kind of work, for people; in a log a line now and then; nothing for scripts."""
    if quiet:
        yield None
        return
    if not sys.stderr.isatty():
        lines = cache(progress_lines)
        yield lambda what, done, total: lines(what)(done, total)
        return
    from rich.console import Console
    from rich.progress import Progress as Bars

    with Bars(console=Console(stderr=True), transient=True) as bars:
        tasks: dict[str, Any] = {}

        def show(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=total)
            bars.update(tasks[what], completed=done, total=total)

        yield show
