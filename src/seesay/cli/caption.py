"""`seesay caption`: writes a sentence for each picture into a table."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from gettext import gettext as _
from gettext import ngettext
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from seesay.cli.captions import CaptionBank
from seesay.cli.language import language_code
from seesay.cli.options import json_option, library_option, model_option, open_model
from seesay.cli.output import echo_failures, echo_json, failures_json, short
from seesay.cli.pictures import Pictures
from seesay.cli.progress import progress_bar
from seesay.errors import InputError, UnreadableImage
from seesay.library.indexing.report import Failure
from seesay.tasks.interrogation.bank import LANGUAGES, phrase_bank

if TYPE_CHECKING:
    import numpy as np

    from seesay.model import Model

FEW = 20  # pictures; fewer get no bar
COLUMNS = ("path", "caption", "score", "space")
Captioned = tuple[str, float]  # a caption with its cosine
Vectors = Iterator[tuple[str, "np.ndarray | UnreadableImage"]]  # by path


@click.command()
@click.argument("inputs", nargs=-1, metavar="[FILE|FOLDER]...", type=click.Path())
@click.option(
    "-o", "--output", required=True, metavar="FILE", type=click.Path(), help="The .tsv to fill; one that is there is continued."
)
@click.option(
    "--captions",
    "captions",
    metavar="FILE",
    type=click.Path(),
    help="Sentences to choose from (.tsv, .csv, .txt). Without: a prompt, as of seesay prompt --mode fast.",
)
@click.option("--language", type=click.Choice(LANGUAGES), help="Language of the prompts. Default: that of the messages.")
@library_option
@model_option
@json_option
def caption(
    inputs: tuple[str, ...],
    output: str,
    captions: str | None,
    language: str | None,
    library: str | None,
    model: str | None,
    as_json: bool,
) -> int:
    """Write a sentence for each picture (files, URLs, folders; without any: the library's) into a table.

    The sentence is the one that the captions nearest to the picture agree on. A run that was stopped goes on where it was: a
    picture that has a row in the table gets no other. The score is the caption's cosine with the picture.
    """
    if Path(output).suffix.lower() != ".tsv":
        raise click.UsageError(_("The output file must end in .tsv; got {output!r}.").format(output=output))
    if inputs and library is not None:
        raise click.UsageError(_("Give files and folders, or --library, not both."))
    bank = None if captions is None else CaptionBank.read(captions)
    opened = open_model(model)
    pictures = Pictures.given(inputs)
    if not inputs:
        _check_library(library, opened)  # before there is a table
    failed = pictures.failed
    with _table(Path(output), opened.space_id) as (stream, done):
        todo = [path for path in pictures.paths if os.fsencode(path) not in done]
        vectors = zip(todo, opened.each_image(todo), strict=True) if inputs else _library_vectors(library, opened, done)
        with _writer(opened, bank, language or language_code(), quiet=as_json) as write:
            written = _fill(stream, opened.space_id, vectors, write, failed, len(todo), quiet=as_json)
    if as_json:
        counts = {"written": written, "present": len(done), "space_id": opened.space_id}
        echo_json({"output": str(Path(output).absolute()), **counts, "failed": failures_json(failed)})
    else:
        click.echo(
            ngettext(
                "wrote {rows} caption to {file}; {present} were there",
                "wrote {rows} captions to {file}; {present} were there",
                written,
            ).format(rows=written, file=short(output), present=len(done))
        )
    echo_failures(failed)
    return 1 if failed else 0


@contextmanager
def _table(file: Path, space_id: str) -> Iterator[tuple[BinaryIO, set[bytes]]]:
    """Opens the table to append to, and yields the paths that have a row. A row that a stopped run left unfinished goes.

    Raises InputError for a file that is no such table, or was filled with another model; OSError.
    """
    header = "\t".join(COLUMNS).encode()
    content = file.read_bytes() if file.exists() else b""
    whole = content[: content.rfind(b"\n") + 1]
    lines = whole.splitlines()
    if content and lines[:1] != [header]:
        raise InputError(
            _("{file} is no table of captions: expected the columns {columns}. Name another file").format(
                file=short(str(file)), columns=", ".join(COLUMNS)
            )
        )
    rows = [line.split(b"\t") for line in lines[1:]]
    if any(row[-1] != space_id.encode() for row in rows):
        raise InputError(_("{file} was filled with another model; name another file").format(file=short(str(file))))
    with file.open("r+b" if content else "wb") as stream:
        stream.truncate(len(whole))
        stream.seek(0, os.SEEK_END)
        if not lines:
            stream.write(header + b"\n")
            stream.flush()
        yield stream, {row[0] for row in rows}


def _check_library(folder: str | None, model: "Model") -> None:
    from seesay.library import Library

    with Library(folder, model) as library:
        library.check_exists()


def _library_vectors(folder: str | None, model: "Model", done: set[bytes]) -> Vectors:
    """The library's pictures, with the vectors that it holds: no file is opened."""
    from seesay.library import Library

    with Library(folder, model) as library:
        for name in library.browse(sort="name").ids:
            picture, vector = library.item(name), library.vector(name)
            if picture is None or os.fsencode(picture.files[0].path) in done:
                continue
            path = picture.files[0].path
            missing = UnreadableImage(path, _("this model has not seen it; run seesay index with it"))
            yield path, missing if vector is None else vector


@contextmanager
def _writer(
    model: "Model", bank: CaptionBank | None, language: str, *, quiet: bool
) -> "Iterator[Callable[[np.ndarray], Captioned]]":
    """Yields what gives a picture's vector its caption."""
    from seesay.tasks.interrogation.captions import nearest_captions
    from seesay.tasks.interrogation.interrogator import Interrogator

    if bank is not None:
        vectors = bank.vectors(model, quiet=quiet)

        def nearest(picture: "np.ndarray") -> Captioned:
            (best,) = nearest_captions(picture, vectors)
            return bank.texts[best.position], best.cosine

        yield nearest
        return
    with progress_bar(_("Encoding phrases"), quiet=quiet, first=_("Encoding phrases")) as progress:
        interrogator = Interrogator.of(model, phrase_bank(language), progress)

    def prompt(picture: "np.ndarray") -> Captioned:
        found = interrogator.prompt(picture, "fast", count=5)
        return found.text, found.cosine

    yield prompt


def _fill(
    stream: BinaryIO,
    space_id: str,
    vectors: Vectors,
    write: "Callable[[np.ndarray], Captioned]",
    failed: list[Failure],
    total: int,
    *,
    quiet: bool,
) -> int:
    """Writes a row for each picture as soon as it has a caption. Returns how many."""
    written = 0
    with progress_bar(_("Captioning"), quiet=quiet or 0 < total < FEW) as progress:
        for path, vector in vectors:
            if isinstance(vector, UnreadableImage):
                failed.append(Failure(path, vector.reason))
            elif any(letter in path for letter in "\t\r\n"):
                failed.append(Failure(path, _("its name has a tab or a line break, which a table cannot hold")))
            else:
                text, score = write(vector)
                cells = (os.fsencode(path), " ".join(text.split()).encode(), f"{score:.4f}".encode(), space_id.encode())
                stream.write(b"\t".join(cells) + b"\n")
                stream.flush()
                written += 1
            if progress is not None and total:
                progress(written + len(failed), total)
    return written
