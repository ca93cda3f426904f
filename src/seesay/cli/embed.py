"""`seesay embed`: writes the vectors of pictures and texts to a file."""

import json
import os
from collections import Counter
from collections.abc import Iterator
from gettext import gettext as _
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click
import numpy as np

from seesay.cli.options import json_option, model_option, open_model
from seesay.cli.output import echo_failures, echo_json, echo_skipped, failures_json, short
from seesay.cli.progress import progress_bar
from seesay.errors import InputError, MissingExtra, UnreadableImage, UnreadableText
from seesay.library.indexing.report import Failure
from seesay.system.files import atomic_write, write_npz
from seesay.system.paths import is_url

if TYPE_CHECKING:
    from seesay.model import Model


FEW = 20  # pictures; fewer get no bar


class Row(NamedTuple):
    """A vector (D,) and its source: a picture's path, or a text, with its path and line if it came from a list."""

    path: str | None
    line: int | None
    text: str | None
    vector: np.ndarray


@click.command()
@click.argument("inputs", nargs=-1, metavar="[FILE|FOLDER]...", type=click.Path())
@click.option("--text", "texts", multiple=True, metavar="TEXT", help="Also embed this text; may be repeated.")
@click.option(
    "-o", "--output", required=True, metavar="FILE", type=click.Path(), help="A .npz, .jsonl or .parquet file to write."
)
@model_option
@json_option
def embed(inputs: tuple[str, ...], texts: tuple[str, ...], output: str, model: str | None, as_json: bool) -> int:
    """Write the vectors of pictures, folders of pictures, lists of texts (.tsv, .csv, .txt) and texts to a file.

    A picture may also be given by its URL.
    """

    suffix = Path(output).suffix.lower()
    if suffix not in WRITERS:
        raise click.UsageError(
            _("The output file must end in {writers}; got {output!r}.").format(writers=", ".join(WRITERS), output=output)
        )
    if not inputs and not texts:
        raise click.UsageError(_("Give files, folders or --text."))
    opened = open_model(model)
    failed: list[Failure] = []
    skipped: Counter[str] = Counter()
    rows = [*_rows(opened, inputs, failed, skipped), *_texts(opened, None, [(None, text) for text in texts])]
    if not rows:
        echo_skipped(skipped)
        echo_failures(failed)
        raise InputError(_("no picture or text to embed was found; {output} was not written").format(output=output))
    _write(Path(output), rows, opened)
    if as_json:
        counts = {"written": len(rows), "dim": opened.dim, "space_id": opened.space_id, "build_id": opened.build_id}
        echo_json({"output": str(Path(output).absolute()), **counts, "failed": failures_json(failed), "skipped": dict(skipped)})
    else:
        click.echo(
            _("wrote {rows} vectors of {dim} dimensions to {written}").format(
                rows=len(rows), dim=opened.dim, written=short(output)
            )
        )
        echo_skipped(skipped)
    echo_failures(failed)
    return 1 if failed else 0


def _write(output: Path, rows: list[Row], model: "Model") -> None:
    """Writes the file in the format of its suffix. A reader sees the old file or the whole new one. Raises InputError."""
    try:
        with atomic_write(output) as draft:
            WRITERS[output.suffix.lower()](draft, rows, model)
    except OSError as error:
        raise InputError(_("cannot write {output}: {error}").format(output=output, error=error.strerror or error)) from None


def _rows(model: "Model", inputs: tuple[str, ...], failed: list[Failure], skipped: Counter[str]) -> Iterator[Row]:
    """The rows of all inputs, those of texts first. Adds to `failed`, and to `skipped` files of kinds that are not read."""
    from seesay.library.indexing.crawl import Crawl, is_text_list
    from seesay.library.indexing.texts import parse_texts

    pictures: list[str] = []
    for path in inputs:
        if is_url(path):
            pictures.append(path)
        elif os.path.isdir(path):
            crawl = Crawl(path)
            pictures += [os.path.join(path, file.path) for file in crawl]
            failed += crawl.blind
            skipped.update(crawl.by_kind())
        elif is_text_list(path):
            try:
                yield from _texts(model, path, parse_texts(Path(path).read_bytes(), path))
            except UnreadableText as error:
                failed.append(Failure(path, str(error)))
            except OSError as error:
                failed.append(Failure(path, f"cannot be read ({error.strerror})"))
        else:
            pictures.append(path)
    yield from _pictures(model, pictures, failed)


def _pictures(model: "Model", pictures: list[str], failed: list[Failure]) -> Iterator[Row]:
    with progress_bar(_("Embedding"), quiet=len(pictures) < FEW) as progress:
        for done, (path, vector) in enumerate(zip(pictures, model.each_image(pictures), strict=True), start=1):
            if isinstance(vector, UnreadableImage):
                failed.append(Failure(path, vector.reason))
            else:
                yield Row(path, None, None, vector)
            if progress is not None:
                progress(done, len(pictures))


def _texts(model: "Model", path: str | None, texts: "list[tuple[int, str]] | list[tuple[None, str]]") -> Iterator[Row]:
    if texts:
        for (line, text), vector in zip(texts, model.encode_text([text for _, text in texts]), strict=True):
            yield Row(path, line, text, vector)


def _write_npz(file: Path, rows: list[Row], model: "Model") -> None:
    """vectors (N, D) float32; path, text (N,) str, empty where there is none; line (N,) int64, 0 where there is none."""
    arrays = {
        "vectors": _stack(rows, model),
        "path": np.array([row.path or "" for row in rows], dtype=np.str_),
        "text": np.array([row.text or "" for row in rows], dtype=np.str_),
        "line": np.array([row.line or 0 for row in rows], dtype=np.int64),
        "space_id": np.array(model.space_id),
        "build_id": np.array(model.build_id),
    }
    write_npz(file, arrays)


def _write_jsonl(file: Path, rows: list[Row], model: "Model") -> None:
    with file.open("w", encoding="utf-8", errors="surrogatepass") as stream:
        for row in rows:
            facts = {"path": row.path, "line": row.line, "text": row.text}
            source = {name: value for name, value in facts.items() if value is not None}
            record = {**source, "space_id": model.space_id, "vector": [float(x) for x in row.vector]}
            stream.write(json.dumps(record) + "\n")


def _write_parquet(file: Path, rows: list[Row], model: "Model") -> None:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise MissingExtra("writing Parquet", "parquet") from None
    flat = pa.array(_stack(rows, model).reshape(-1), type=pa.float32())
    columns = {
        "path": pa.array(
            [row.path and row.path.encode("utf-8", "backslashreplace").decode() for row in rows], type=pa.string()
        ),
        "text": pa.array([row.text for row in rows], type=pa.string()),
        "line": pa.array([row.line for row in rows], type=pa.int64()),
        "vector": pa.FixedSizeListArray.from_arrays(flat, model.dim),
    }
    facts = {"space_id": model.space_id, "build_id": model.build_id}
    pq.write_table(pa.table(columns).replace_schema_metadata(facts), file)


def _stack(rows: list[Row], model: "Model") -> np.ndarray:
    return np.stack([row.vector for row in rows]) if rows else np.empty((0, model.dim), dtype=np.float32)


WRITERS = {".npz": _write_npz, ".jsonl": _write_jsonl, ".parquet": _write_parquet}
