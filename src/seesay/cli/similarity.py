"""`seesay similarity`: how near pictures and texts are to each other."""

import click

from seesay.cli.output import echo_json, json_option, model_option, short


@click.command()
@click.argument("images", nargs=-1, metavar="[IMAGE]...", type=click.Path())
@click.option("--text", "texts", multiple=True, metavar="TEXT", help="A text to compare with; may be repeated.")
@model_option
@json_option
def similarity(images: tuple[str, ...], texts: tuple[str, ...], model: str | None, as_json: bool) -> int:
    """Print the cosine similarity of every picture (file or URL) with every text.

    With pictures only, or texts only, they are compared with each other. 1 is the same, 0 is unrelated.
    """
    from seesay.model import load

    if not images and not texts:
        raise click.UsageError("Give pictures, --text, or both.")
    if any(not text.strip() for text in texts):
        raise click.UsageError("A --text is empty.")
    opened = load(model)
    rows = images or texts
    columns = texts if images and texts else rows
    # Encoded here, because Model.similarity would take a --text that looks like a file or a URL for a picture.
    left = opened.encode_image(images) if images else opened.encode_text(texts)
    right = opened.encode_text(texts) if images and texts else left
    cosine = opened.similarity(left, right)
    if as_json:
        numbers = [[round(float(c), 6) for c in row] for row in cosine]
        echo_json({"rows": list(rows), "columns": list(columns), "cosine": numbers})
        return 0
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    table.add_column("")
    for column in columns if texts else map(short, columns):
        table.add_column(Text(column), justify="right", max_width=24)
    for name, row in zip(map(short, rows) if images else rows, cosine, strict=True):
        best = row.max()
        table.add_row(Text(name), *(Text(f"{c:.3f}", style="bold" if c == best and len(row) > 1 else "") for c in row))
    Console(highlight=False).print(table)
    return 0
