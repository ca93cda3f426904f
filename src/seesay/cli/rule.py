"""`Rule`: how `seesay classify` judges pictures, and the options that say so."""

from dataclasses import dataclass
from gettext import gettext as _
from pathlib import Path
from typing import TYPE_CHECKING

import click

from seesay.cli.labels import labels_of, templates_of
from seesay.cli.options import record
from seesay.tasks.clips import FRAMES
from seesay.tasks.labels import Label
from seesay.tasks.zero_shot import NAMES, Names

if TYPE_CHECKING:
    from seesay.evaluation.head import Head
    from seesay.tasks.prompts import Templates

MULTI_LEAST = 0.5
WEAK = ("quality", "画质", "style", "风格")  # ready sets with which the bundled model hardly beats a guess (docs/benchmarks.md)


@dataclass(frozen=True)
class Rule:
    """How pictures are judged: the labels, their prompts, and when a label fits; or by a head, whose labels these are."""

    labels: tuple[Label, ...]
    templates: "Templates"
    names: Names
    none: bool
    multi: bool
    least: float
    calibrate: str | None
    frames: int
    ready: str | None
    head: "Head | None" = None

    @property
    def shown(self) -> list[str]:
        """The labels' names as results show them."""
        return [label.name for label in self.labels]


def _rule(
    labels: str | None,
    ready: str | None,
    texts: tuple[str, ...],
    templates: str | None,
    names: Names | None,
    none: bool,
    multi: bool,
    least: float | None,
    calibrate: str | None,
    frames: int,
    head: str | None,
) -> Rule:
    if head is not None:
        given: dict[str, object] = {"--labels": labels, "--set": ready, "--template": texts, "--templates": templates}
        given |= {"--names": names, "--none": none, "--multi": multi, "--calibrate": calibrate}
        if others := [option for option, value in given.items() if value]:
            raise click.UsageError(_("--head has labels of its own; leave out {options}").format(options=", ".join(others)))
        return _by_head(head, least or 0.0, frames)
    made = labels_of(labels, ready)
    sure = (MULTI_LEAST if multi else 0.0) if least is None else least
    combined = names or ("mean" if ready is None else "max")
    return Rule(made, templates_of(texts, templates, ready), combined, none, multi, sure, calibrate, frames, ready)


def _by_head(file: str, least: float, frames: int) -> Rule:
    from seesay.evaluation.head import read_head

    head = read_head(Path(file))
    labels = tuple(Label(name, (name,)) for name in head.names)
    return Rule(labels, None, "mean", False, False, least, None, frames, None, head)


rule_options = record(
    "rule",
    _rule,
    (
        click.option(
            "--labels",
            metavar="A,B,...|FILE",
            help="The labels to choose from, or a .txt, .tsv or .csv file of them; a|b are two names of one.",
        ),
        click.option(
            "--set", "ready", metavar="NAME", help="Ready labels: quality, kind, scene, style (画质, 类型, 场景, 风格)."
        ),
        click.option(
            "--head",
            metavar="FILE",
            type=click.Path(),
            help="Instead of labels: a classifier of seesay probe, trained on your own pictures.",
        ),
        click.option(
            "--template", "texts", multiple=True, metavar="TEXT", help="Prompt with {} for the label; may be repeated."
        ),
        click.option(
            "--templates",
            metavar="SET|FILE",
            help="Prompts: short, photo, texture, satellite, food, art, digits, clothing, imagenet, or a file. Default: short.",
        ),
        click.option(
            "--names",
            type=click.Choice(NAMES),
            help="How several names of a label count: their mean, or the one that fits best. Default: mean, with --set max.",
        ),
        click.option("--none", is_flag=True, help='Add "none of these", for pictures that no label fits.'),
        click.option(
            "--multi", is_flag=True, help="Every label that fits, not only the best: each against none of these alone."
        ),
        click.option(
            "--min",
            "least",
            metavar="P",
            type=click.FloatRange(0, 1),
            help="How probable a label must be to fit; by default 0, with --multi 0.5.",
        ),
        click.option(
            "--calibrate",
            metavar="TABLE",
            type=click.Path(),
            help="Make probabilities honest with a few labelled pictures: a table of image and label.",
        ),
        click.option(
            "--frames",
            metavar="N",
            type=click.IntRange(1, 64),
            default=FRAMES,
            show_default=True,
            help="How many frames of an animation count; 1 takes the one that the library shows.",
        ),
    ),
)
