"""`seesay tag`: tags pictures, by hand or by a rule on what they show."""

import re
from gettext import gettext as _
from gettext import ngettext
from typing import TYPE_CHECKING

import click

from seesay.cli.options import json_option, library_option, model_option, open_model
from seesay.cli.output import bar, echo_error, echo_json, echo_note, short
from seesay.library.search.filters import Filters
from seesay.tasks.labels import split_label

if TYPE_CHECKING:
    from seesay.library import Library
    from seesay.library.tags import Tagged

SHOWN_PICTURES = 5  # of each label


@click.command()
@click.argument("paths", nargs=-1, metavar="[FOLDER|FILE...]", type=click.Path())
@click.option(
    "--label", "labels", metavar="TAG", multiple=True, help="The tag; may be repeated. By rule, a|b are two names of it."
)
@click.option("--min", "least", metavar="P", type=float, help="By rule: how sure it must be, 0 to 1; by default 0.5.")
@click.option("--under", metavar="FOLDER", type=click.Path(), help="By rule: only below this folder.")
@click.option("--dry-run", is_flag=True, help="By rule: only say what it would do.")
@click.option("--remove", is_flag=True, help="Take the tag away, from these files or from all.")
@library_option
@model_option
@json_option
def tag(
    paths: tuple[str, ...],
    labels: tuple[str, ...],
    least: float | None,
    under: str | None,
    dry_run: bool,
    remove: bool,
    library: str | None,
    model: str | None,
    as_json: bool,
) -> int:
    """Tag pictures of the library, for `seesay search --tag`.

    With files or folders: by hand. Without: by rule, every picture that a label fits better than the other labels and "none of
    these" do. Without a label: lists the tags.
    """
    from seesay.library import Library

    has_rule_options = under is not None or dry_run or least is not None
    if not labels and (paths or remove or has_rule_options):
        raise click.UsageError(_("Say which tag: --label NAME."))
    if paths and has_rule_options:
        raise click.UsageError(_("--min, --under and --dry-run are for tagging by rule, without files."))
    if remove and has_rule_options:
        raise click.UsageError(
            _("--remove takes tags from files, folders or all pictures; --min, --under and --dry-run are for rules.")
        )
    by_rule = bool(labels) and not paths and not remove
    for label in labels:
        if by_rule and re.search("[,，、]", label):
            echo_note(_("{label} is one tag; for several, give --label for each").format(label=label))
    with Library(library, open_model(model) if by_rule else None) as opened:
        if not labels:
            return _print_counts(opened, as_json)
        if by_rule:
            filters = Filters(under=under)
            named = [split_label(label) for label in labels]
            tagged = opened.tags.by_rule(named, least=0.5 if least is None else least, filters=filters, dry_run=dry_run)
            return _print_tagged(tagged, dry_run, as_json)
        change = opened.tags.remove if remove else opened.tags.add
        counts = {label: change(label, *paths) for label in labels}
    if as_json:
        echo_json({"removed" if remove else "tagged": counts})
        return 0
    for label, count in counts.items():
        form = _("{label}: removed from {pictures}") if remove else _("{label}: added to {pictures}")
        click.echo(form.format(label=label, pictures=_pictures(count)))
    absent = [label for label, count in counts.items() if remove and not count]
    if absent:
        echo_error(_("no such picture has {labels}; the tags that there are: seesay tag").format(labels=", ".join(absent)))
    return 0


def _print_counts(library: "Library", as_json: bool) -> int:
    """Lists the tags and how many pictures have each. Returns the exit code."""
    counts = library.tags.counts()
    if as_json:
        echo_json({"tags": counts})
        return 0
    for name, count in counts.items():
        click.echo(f"{count:7,}  {name}")
    if not counts:
        echo_error(_("no tags yet; try: seesay tag --label receipt --dry-run"))
    return 0


def _print_tagged(pictures_by_label: "dict[str, list[Tagged]]", dry_run: bool, as_json: bool) -> int:
    """Shows the pictures that a rule tagged, the surest first. Returns the exit code."""
    if as_json:
        document = {
            label: [{"path": each.path, "probability": each.probability} for each in pictures]
            for label, pictures in pictures_by_label.items()
        }
        echo_json({"dry_run": dry_run, "tagged": document})
        return 0
    for label, pictures in pictures_by_label.items():
        click.echo(click.style(f"{label}: {_pictures(len(pictures))}", bold=True))
        for each in pictures[:SHOWN_PICTURES]:
            click.echo(f"  {each.probability:4.0%}  {bar(each.probability)}  {short(each.path)}")
        if len(pictures) > SHOWN_PICTURES:
            click.echo(
                _("  ... and {shown} more, down to {probability:.0%}").format(
                    shown=len(pictures) - SHOWN_PICTURES, probability=pictures[-1].probability
                )
            )
    if dry_run:
        echo_error(_("nothing was tagged; without --dry-run it will be"))
    return 0


def _pictures(count: int) -> str:
    return ngettext("{count:,} picture", "{count:,} pictures", count).format(count=count)
