"""`seesay prompt`: writes a prompt for an image generator from a picture."""

from dataclasses import dataclass
from gettext import gettext as _
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from seesay.cli.captions import CaptionBank
from seesay.cli.language import language_code
from seesay.cli.options import json_option, load_options, open_model
from seesay.cli.output import echo_json, echo_note, short
from seesay.cli.progress import progress_bar
from seesay.errors import InputError
from seesay.tasks.interrogation.bank import LANGUAGES, PhraseBank, phrase_bank
from seesay.tasks.interrogation.interrogator import COUNT, MODES, Mode, Prompt

if TYPE_CHECKING:
    import numpy as np

    from seesay.model import Model

CAPTIONS = 3  # that are shown


@dataclass(frozen=True)
class Answer:
    """The prompt that one model gives. tokens: of the prompt, without those that every text has. captions: (text, cosine)."""

    model: str | None
    space_id: str
    context: int
    tokens: int
    prompt: Prompt
    captions: list[tuple[str, float]]


@click.command()
@click.argument("image", metavar="IMAGE", type=click.Path())
@click.option("--language", type=click.Choice(LANGUAGES), help="Language of the prompt. Default: that of the messages.")
@click.option(
    "--mode",
    type=click.Choice(MODES),
    default="best",
    show_default=True,
    help="best: phrases as long as they come nearer; fast: the nearest that differ; negative: what it is least like.",
)
@click.option("--count", type=int, default=COUNT, show_default=True, metavar="N", help="At most so many phrases.")
@click.option(
    "--phrases",
    metavar="FILE",
    type=click.Path(),
    help="A list of your own phrases instead of the packaged ones (docs/tasks.md).",
)
@click.option(
    "--captions", metavar="FILE", type=click.Path(), help="Also the nearest captions of this list (.tsv, .csv, .txt)."
)
@click.option("--refine", is_flag=True, help="Improve the prompt by gradients (needs torch): nearer, but hard to read.")
@click.option(
    "--model",
    "models",
    multiple=True,
    metavar="NAME|FOLDER",
    help="Model to use; repeated, prompts of several stand side by side. Default: the bundled one.",
)
@load_options
@json_option
def prompt(
    image: str,
    language: str | None,
    mode: Mode,
    count: int,
    phrases: str | None,
    captions: str | None,
    refine: bool,
    models: tuple[str, ...],
    as_json: bool,
) -> int:
    """Write a prompt from one picture (file or URL): phrases that an image generator takes, the nearest first.

    The score of a phrase is its cosine with the picture, less what it has in common with anything. The vectors of the phrases
    are computed once for each model and kept in the cache. For many pictures: seesay caption.
    """
    bank = phrase_bank(language or language_code()) if phrases is None else _own_phrases(phrases)
    if refine and mode == "negative":
        raise click.UsageError(_("--refine makes a prompt nearer to the picture; it has no negative mode."))
    captions_bank = None if captions is None else CaptionBank.read(captions)
    answers = []
    for name in dict.fromkeys(models) or (None,):
        opened = open_model(name, engine="torch") if refine else open_model(name)
        vector = opened.encode_image(image)[0]
        answers.append(_answer(name, opened, vector, bank, mode, count, captions_bank, refine=refine, quiet=as_json))
    if as_json:
        documents = [_json(answer, mode) for answer in answers]
        echo_json(documents[0] if len(documents) == 1 else {"models": documents})
        return 0
    for answer in answers:
        if len(answers) > 1:
            click.echo(click.style(short(answer.model or ""), bold=True))
        _print(answer)
    return 0


def _own_phrases(file: str) -> PhraseBank:
    try:
        return PhraseBank.parse(Path(file).read_text(encoding="utf-8-sig"), short(file))
    except UnicodeDecodeError:
        raise InputError(_("{file} is not UTF-8 text; save it as UTF-8").format(file=short(file))) from None


def _answer(
    name: str | None,
    model: "Model",
    vector: "np.ndarray",
    bank: PhraseBank,
    mode: Mode,
    count: int,
    captions: CaptionBank | None,
    *,
    refine: bool,
    quiet: bool,
) -> Answer:
    from seesay.tasks.interrogation.context import own_tokens
    from seesay.tasks.interrogation.interrogator import Interrogator

    with progress_bar(_("Encoding phrases"), quiet=quiet, first=_("Encoding phrases")) as progress:
        interrogator = Interrogator.of(model, bank, progress)
    found = interrogator.prompt(vector, mode, count)
    if refine:
        found = _refined(model, vector, found, quiet=quiet)
    near = [] if captions is None else captions.nearest(model, vector, CAPTIONS, quiet=quiet)
    own = own_tokens(model.tokenizer, found.text)[1]
    return Answer(name, model.space_id, model.tokenizer.spec.context_length, own.stop - own.start, found, near)


def _refined(model: "Model", vector: "np.ndarray", found: Prompt, *, quiet: bool) -> Prompt:
    from seesay.tasks.interrogation.refine import refined

    with progress_bar(_("Refining"), quiet=quiet, first=_("Refining")) as progress:
        better = refined(model, vector, found, progress=progress)
    if better is found and not quiet:
        echo_note(_("gradients found no prompt that is nearer"))
    return better


def _json(answer: Answer, mode: Mode) -> dict[str, Any]:
    found = answer.prompt
    captions = [{"text": text, "score": round(score, 6)} for text, score in answer.captions]
    return {
        **({} if answer.model is None else {"model": answer.model}),
        "prompt": found.text,
        "phrases": [
            {"text": each.text, "kind": each.kind, "score": round(each.score, 6), "cosine": round(each.cosine, 6)}
            for each in found.phrases
        ],
        "mode": mode,
        "cosine": round(found.cosine, 6),
        "steps": [round(cosine, 6) for cosine in found.steps],
        "tokens": answer.tokens,
        "context": answer.context,
        "space_id": answer.space_id,
        **({"captions": captions} if captions else {}),
    }


def _print(answer: Answer) -> None:
    """Prints the prompt alone on stdout's first line, for copying, then what it is made of."""
    click.echo(answer.prompt.text)
    for each in answer.prompt.phrases:
        click.echo(f"  {each.score:6.3f}  {each.kind:11}  {each.text}")
    click.echo(
        _("  cosine {cosine:.3f}, {tokens} of {context} tokens").format(
            cosine=answer.prompt.cosine, tokens=answer.tokens, context=answer.context
        )
    )
    for text, score in answer.captions:
        click.echo(f"  {score:6.3f}  {text}")
