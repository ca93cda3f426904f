"""`seesay data check`: says what is in a collection of pairs, and what is wrong with it."""

from gettext import gettext as _
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from seesay.cli.language import translate
from seesay.cli.options import json_option
from seesay.cli.output import echo_json, short
from seesay.cli.progress import working

if TYPE_CHECKING:
    from seesay.training.curation.review import Review, Spread

SHOWN = 5


@click.command()
@click.argument("sources", nargs=-1, required=True, metavar="MANIFEST|SHARDS...")
@click.option(
    "--images", type=click.Path(path_type=Path), metavar="DIR", help="Folder of a table's pictures. Default: beside it."
)
@click.option("--against", metavar="TABLE|SHARDS", help="A test set: say which pairs have its pictures or captions.")
@click.option(
    "--against-images",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder of the test set's pictures. Default: beside it.",
)
@json_option
def check(
    sources: tuple[str, ...], images: Path | None, against: str | None, against_images: Path | None, as_json: bool
) -> int:
    """Say what is in a collection of pictures with captions, and what is wrong with it, before it is trained on.

    MANIFEST is a table (.tsv, .csv, .jsonl, .parquet) as of seesay train, SHARDS are tar files or a pattern such as
    "shards/{000..123}.tar". Exit code 1 if something is broken or leaks into the test set.
    """
    from seesay.training.curation.pairs import read_pairs
    from seesay.training.curation.review import review

    tests = None if against is None else read_pairs((against,), against_images)
    with working(_("Reading pictures")):
        found = review(read_pairs(sources, images), tests)
    if as_json:
        echo_json(_json(found, against))
    else:
        _print(found, against)
    leaking = found.leaking_pictures + found.leaking_captions
    return 1 if found.broken or leaking else 0


def _json(found: "Review", against: str | None) -> dict[str, Any]:
    from seesay.system.schema import to_json

    leaks = None
    if found.leaks is not None:
        leaks = {
            "against": against,
            "pictures": found.leaking_pictures,
            "captions": found.leaking_captions,
            "examples": [to_json(leak) for leak in found.leaks],
        }
    broken = [{"name": name, "reason": reason} for name, reason in found.broken.examples.items()]
    return {
        "pairs": found.pairs,
        "pictures": found.pictures,
        "broken": {"count": sum(found.broken.reasons.values()), "reasons": dict(found.broken.reasons), "examples": broken},
        "sizes": {"shorter_side": to_json(found.shorter_side), "small": found.small, "long": found.long},
        "captions": {
            "languages": found.languages,
            "characters": to_json(found.characters),
            "words": to_json(found.words),
            "different": found.different_captions,
            "repeated": [{"text": text, "count": count} for text, count in found.repeated],
        },
        "duplicates": {"same_bytes": found.same_bytes, "near": found.near, "examples": found.duplicate_examples},
        "leaks": leaks,
    }


def _print(found: "Review", against: str | None) -> None:
    from seesay.training.curation.review import LONG, SMALL_PX

    broken = sum(found.broken.reasons.values())
    click.echo(
        _("{pairs:,} pairs of {pictures:,} pictures, {broken:,} broken").format(
            pairs=found.pairs, pictures=found.pictures, broken=broken
        )
    )
    for reason, count in found.broken.reasons.most_common(SHOWN):
        click.echo(f"  {count:>8,}  {translate(reason)}")
    for name, reason in list(found.broken.examples.items())[:SHOWN]:
        click.echo(f"            {short(name)}: {translate(reason)}")
    click.echo(
        _("shorter side {spread} px; {small:,} under {px}, {long:,} more than {times:g} times as long as wide").format(
            spread=_spread(found.shorter_side), small=found.small, px=SMALL_PX, long=found.long, times=LONG
        )
    )
    names = {
        "english": _("English"),
        "chinese": _("Chinese"),
        "mixed": _("mixed"),
        "other": _("other"),
        "none": _("without letters"),
    }
    shares = ", ".join(f"{names[name]} {count / max(found.pairs, 1):.1%}" for name, count in found.languages.items())
    click.echo(
        _("captions: {shares}; {characters} characters; {words} words, without the Chinese ones").format(
            shares=shares, characters=_spread(found.characters), words=_spread(found.words)
        )
    )
    click.echo(_("{different:,} different captions").format(different=found.different_captions))
    for text, count in found.repeated[:SHOWN]:
        click.echo(f"  {count:>8,}  {text}")
    click.echo(
        _("{same:,} pictures are copies of others, {near:,} more look the same").format(same=found.same_bytes, near=found.near)
    )
    for group in found.duplicate_examples[:SHOWN]:
        click.echo("            " + "  =  ".join(map(short, group[:3])) + (" ..." if len(group) > 3 else ""))
    _print_leaks(found, against)


def _print_leaks(found: "Review", against: str | None) -> None:
    if found.leaks is None:
        return
    click.echo(
        _("in {against} too: {pictures:,} pictures, captions of {captions:,} pairs").format(
            against=against, pictures=found.leaking_pictures, captions=found.leaking_captions
        )
    )
    for leak in found.leaks[: 2 * SHOWN]:
        what = _("the picture of") if leak.kind == "picture" else _("the caption of")
        click.echo(f"            {short(leak.pair)}: {what} {short(leak.test)}")


def _spread(spread: "Spread") -> str:
    """The least, the median and the most."""
    return _("{least:,.0f} to {most:,.0f}, median {median:,.0f}").format(
        least=spread.least, most=spread.most, median=spread.p50
    )
