"""`seesay similarity`: cosine similarities of pictures and texts."""

import os
from gettext import gettext as _
from pathlib import Path
from typing import TYPE_CHECKING

import click

from seesay.cli.options import json_option, model_option, open_model
from seesay.cli.output import echo_json, short

if TYPE_CHECKING:
    import numpy as np


@click.command()
@click.argument("images", nargs=-1, metavar="[IMAGE]...", type=click.Path())
@click.option("--text", "texts", multiple=True, metavar="TEXT", help="A text to compare with; may be repeated.")
@click.option("--plot", metavar="FILE", type=click.Path(), help="Also draw it: .png, .svg, .pdf, ... (needs the extra eval).")
@model_option
@json_option
def similarity(images: tuple[str, ...], texts: tuple[str, ...], plot: str | None, model: str | None, as_json: bool) -> int:
    """Print the cosine similarity of every picture (file or URL) with every text.

    With pictures only, or texts only, they are compared with each other. 1 is the same, 0 is unrelated.
    """

    if not images and not texts:
        raise click.UsageError(_("Give pictures, --text, or both."))
    if any(not text.strip() for text in texts):
        raise click.UsageError(_("A --text is empty."))
    opened = open_model(model)
    rows = images or texts
    columns = texts if images and texts else rows
    # Encoded here, because Model.similarity would take a --text that looks like a file or a URL for a picture.
    left = opened.encode_image(images) if images else opened.encode_text(texts)
    right = opened.encode_text(texts) if images and texts else left
    cosine = opened.similarity(left, right)
    if plot is not None:
        _draw(cosine.T if images and texts else cosine, images, texts, plot)
    if as_json:
        numbers = [[round(float(c), 6) for c in row] for row in cosine]
        echo_json({"rows": list(rows), "columns": list(columns), "cosine": numbers})
        return 0
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    table.add_column("")
    names = list(map(short, rows)) if images else list(rows)
    if images and len(set(map(os.path.basename, names))) == len(names):
        names = list(map(os.path.basename, names))  # a table has no room for folders
    for column in texts if texts else names:
        table.add_column(Text(column), justify="right", max_width=24)
    for name, row in zip(names, cosine, strict=True):
        best = row.max()
        table.add_row(Text(name), *(Text(f"{c:.3f}", style="bold" if c == best and len(row) > 1 else "") for c in row))
    Console(highlight=False).print(table)
    return 0


def _draw(cosine: "np.ndarray", images: tuple[str, ...], texts: tuple[str, ...], plot: str) -> None:
    """Draws texts at the left and pictures above, if there are both."""
    from seesay.render.similarity import draw, picture_labels

    labels = picture_labels(images)
    unknown = draw(cosine, texts or labels, labels or texts, Path(plot))
    if unknown:
        some = unknown[:10] + ("..." if len(unknown) > 10 else "")
        click.echo(
            _(
                "seesay: note: no font of this system has {some}; the figure shows boxes for them. Install one that "
                "does, such as Noto Sans CJK (Debian: fonts-noto-cjk)"
            ).format(some=some),
            err=True,
        )
    click.echo(_("wrote {plot}").format(plot=short(os.path.abspath(plot))), err=True)
