"""`seesay data curate`: balances pairs over queries, as CLIP and MetaCLIP were."""

from collections.abc import Iterator
from contextlib import contextmanager
from gettext import gettext as _
from pathlib import Path
from typing import TYPE_CHECKING

import click

from seesay.cli.options import json_option
from seesay.cli.output import echo_json, echo_wrote, refuse_input
from seesay.cli.progress import progress_bar
from seesay.system.progress import NamedProgress

if TYPE_CHECKING:
    from seesay.training.curation.balance import Balance

QUANTILES = (0.5, 0.9, 0.99, 1.0)
SHOWN = 10


@click.command()
@click.argument("tables", nargs=-1, required=True, metavar="IN...")
@click.argument("output", metavar="OUT", type=click.Path(path_type=Path))
@click.option(
    "--queries",
    "list_file",
    required=True,
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="The queries, one a line, or a JSON list.",
)
@click.option(
    "--cap", default=20_000, show_default=True, type=click.IntRange(min=1), help="Pairs of a query, from which it is thinned."
)
@click.option("--text-column", metavar="NAME", help="Column of the captions. Default: text or caption.")
@click.option("--ignore-case", is_flag=True, help="Upper and lower case are one.")
@click.option("--seed", default=0, show_default=True, help="Another seed keeps other pairs.")
@click.option(
    "--processes",
    type=click.IntRange(min=1),
    metavar="NUMBER",
    help="Processes, each with the queries in memory. Default: cores.",
)
@click.option(
    "--plot", metavar="FILE.png", type=click.Path(path_type=Path), help="Draw pairs by query, before and after (extra eval)."
)
@json_option
def curate(
    tables: tuple[str, ...],
    output: Path,
    list_file: Path,
    cap: int,
    text_column: str | None,
    ignore_case: bool,
    seed: int,
    processes: int | None,
    plot: Path | None,
    as_json: bool,
) -> int:
    """Balance pairs over queries: rare things keep all their pairs, frequent ones about --cap, and what matches none goes.

    IN are tables with captions (.parquet, .tsv, .csv, .jsonl) or patterns such as "part-*.parquet"; OUT gets the rows that are
    kept, in their order, with all their columns. A run that was killed goes on where it was when it is started again.
    """
    from seesay.system.cpu import available_cores
    from seesay.training.curation.balance import curate as balance
    from seesay.training.curation.matcher import read_queries
    from seesay.training.curation.tables import find_tables

    files = find_tables(tables)
    refuse_input(output, *map(str, files), str(list_file))
    if plot is not None:
        from seesay.render.query_plot import require

        refuse_input(plot, *map(str, files), str(list_file))
        require(plot)
    queries = read_queries(list_file)
    with _progress(quiet=as_json) as progress:
        found = balance(
            files,
            output,
            queries,
            cap=cap,
            seed=seed,
            column=text_column,
            ignore_case=ignore_case,
            processes=processes or available_cores(),
            progress=progress,
        )
    if plot is not None:
        from seesay.render.query_plot import draw_query_plot

        draw_query_plot(plot, found.before, found.after, cap)
    if as_json:
        echo_json(_json(found, output))
    else:
        _print(found)
        echo_wrote(output)
        if plot is not None:
            echo_wrote(plot)
    return 0 if found.kept else 1


@contextmanager
def _progress(*, quiet: bool) -> Iterator[NamedProgress | None]:
    """One bar over counting, choosing and writing."""
    with progress_bar(_("Curating"), quiet=quiet, first=_("Curating")) as show:
        before = {"count": 0, "choose": 1, "write": 2}

        def report(kind: str, done: int, total: int) -> None:
            if show is not None:
                show(before[kind] * total + done, len(before) * total)

        yield None if show is None else report


def _json(found: "Balance", output: Path) -> dict[str, object]:
    return {
        "file": str(output),
        "cap": found.cap,
        "pairs": {"read": found.read, "matched": found.matched, "kept": found.kept},
        "queries": {"given": len(found.queries), "before": _spread(found, after=False), "after": _spread(found, after=True)},
        "largest": [
            {"query": found.queries[number], "before": int(found.before[number]), "after": int(found.after[number])}
            for number in _largest(found)
        ],
    }


def _spread(found: "Balance", *, after: bool) -> dict[str, float | int]:
    """Of the pairs of each query that was found: how many such queries, quantiles, and the share of all matches that the
    hundredth part of the queries with the most pairs has."""
    import numpy as np

    counts = np.sort((found.after if after else found.before)[found.before > 0])
    if not len(counts):
        return {"found": 0, **{f"p{share:.0%}".rstrip("%"): 0 for share in QUANTILES}, "top_share": 0.0}
    top = counts[-max(1, len(counts) // 100) :].sum() / max(counts.sum(), 1)
    quantiles = {f"p{share:.0%}".rstrip("%"): float(np.quantile(counts, share)) for share in QUANTILES}
    return {"found": int((counts > 0).sum()), **quantiles, "top_share": round(float(top), 6)}


def _largest(found: "Balance") -> list[int]:
    import numpy as np

    order = np.argsort(-found.before, kind="stable")[:SHOWN]
    return [int(number) for number in order if found.before[number]]


def _print(found: "Balance") -> None:
    click.echo(
        _("{read:,} pairs: {matched:,} with a query, {kept:,} kept ({share:.1%})").format(
            read=found.read, matched=found.matched, kept=found.kept, share=found.kept / max(found.read, 1)
        )
    )
    before, after = _spread(found, after=False), _spread(found, after=True)
    click.echo(
        _(
            "{found:,} of {given:,} queries are found. Pairs of a query: median, 99th of 100, most; share of the top hundredth"
        ).format(found=before["found"], given=len(found.queries))
    )
    for name, spread in ((_("before"), before), (_("after"), after)):
        click.echo(
            f"  {name:8}{spread['p50']:>12,.0f}{spread['p99']:>12,.0f}{spread['p100']:>12,.0f}{spread['top_share']:>8.0%}"
        )
    for number in _largest(found):
        click.echo(f"  {found.before[number]:>12,} -> {found.after[number]:>10,}  {found.queries[number]}")
