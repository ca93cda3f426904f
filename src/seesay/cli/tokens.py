"""`seesay tokens`: shows how a prompt for an image generator is cut, and what each weight touches."""

from gettext import gettext as _
from typing import TYPE_CHECKING, Any

import click

from seesay.cli.language import translate
from seesay.cli.options import json_option
from seesay.cli.output import echo_json, echo_note

if TYPE_CHECKING:
    from seesay.generation.tokenization import Tokenization

SHOWN_LOST = 200  # letters
SHOWN_ROWS = 200


@click.command()
@click.argument("text", metavar="TEXT")
@click.option(
    "--from",
    "source",
    metavar="FILE|FOLDER",
    type=click.Path(),
    help="A generator's file or folder, or a CLIP checkpoint, whose tokenizer cuts. Default: CLIP's vocabulary.",
)
@json_option
def tokens(text: str, source: str | None, as_json: bool) -> int:
    """Show how a prompt for an image generator is cut into tokens and chunks, where 77 ends, and what each weight touches."""
    from seesay.generation.tokenization import tokenization

    found = tokenization(text, source)
    for note in found.notes:
        echo_note(translate(note))
    if as_json:
        echo_json({"text": text, "from": source, **_document(found)})
        return 0
    if source is None:
        echo_note(_("cut by the vocabulary of CLIP, which Stable Diffusion, SDXL and FLUX share; --from FILE takes another"))
    _print(found)
    return 0


def _document(found: "Tokenization") -> dict[str, Any]:
    return {
        "context": found.context,
        "room": found.room,
        "count": len(found.tokens),
        "words": list(found.words),
        "lost": found.lost,
        "notes": list(found.notes),
        "chunks": [
            [
                {
                    "position": position,
                    "id": token.id,
                    "piece": token.piece,
                    "weight": round(token.weight, 6),
                    "word": token.word,
                    "fragment": token.fragment,
                }
                for position, token in enumerate(chunk.tokens, start=1)
            ]
            for chunk in found.chunks
        ],
        "fragments": [
            {"text": fragment.text, "weight": round(fragment.weight, 6), "begin": fragment.begin}
            for fragment in found.prompt.fragments
        ],
    }


def _print(found: "Tokenization") -> None:
    """What a long prompt comes to, then a row for each token, at most SHOWN_ROWS."""
    if not found.tokens:
        return
    if len(found.tokens) > found.room:
        click.echo(
            _("{count} tokens in {chunks} chunks of at most {room}").format(
                count=len(found.tokens), chunks=len(found.chunks), room=found.room
            )
        )
        click.echo(
            _(
                "{context} positions end after token {room} (one begins and one ends a text). What takes no chunks, as "
                "diffusers by itself, loses: {lost}"
            ).format(context=found.context, room=found.room, lost=_shown(found.lost))
        )
    _print_rows(found)
    if len(found.tokens) > SHOWN_ROWS:
        click.echo(_("... and {count} more; --json lists all").format(count=len(found.tokens) - SHOWN_ROWS))


def _print_rows(found: "Tokenization") -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    # Words whose pieces are bytes, which are no letters: their text stands beside the first piece.
    bytes_of = {token.word: found.words[token.word] for token in found.tokens if not token.piece.isascii()}
    spellings, left = iter(found.spellings), SHOWN_ROWS
    for number, chunk in enumerate(found.chunks, start=1):
        if left <= 0:
            break
        title = _("chunk {number}: {count} of {room} tokens").format(number=number, count=len(chunk.tokens), room=found.room)
        click.echo(click.style(title, bold=True))
        table = Table(box=None, pad_edge=False, show_header=False)
        for column in ("right", "right", "left", "right", "left"):
            table.add_column(justify=column)
        for position, token in enumerate(chunk.tokens[:left], start=1):
            weight = "" if token.weight == 1 else f"× {token.weight:.4g}"
            piece, word = next(spellings), bytes_of.pop(token.word, "")
            word = word if piece.startswith("<") else ""  # else the characters themselves
            table.add_row(str(position), str(token.id), Text(piece), Text(weight, style="bold"), Text(word))
        console.print(table)
        left -= len(chunk.tokens)


def _shown(text: str) -> str:
    return text if len(text) <= SHOWN_LOST else text[:SHOWN_LOST] + "..."
