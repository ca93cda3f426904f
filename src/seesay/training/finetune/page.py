"""The page of a fine-tuning: scores before and after, and the pictures whose answers changed."""

from collections.abc import Sequence

from seesay.evaluation.report import BarPlot, Example, Examples, Report, Table
from seesay.evaluation.summary import share_with_interval
from seesay.training.finetune.comparison import Bounds, Change, Comparison, Score

MOST_SHOWN = 60  # pictures of each kind


def page_of(title: str, facts: Sequence[str], comparison: Comparison) -> Report:
    """The page as a report, which `render.report` writes."""
    tables = [Table("On the pictures held out", ("", "before", "after", "difference"), _rows(comparison.scores))]
    if comparison.kept:
        tables.append(Table("Kept of what it knew", ("", "before", "after", "difference"), _rows(comparison.kept)))
    everything = (*comparison.scores, *comparison.kept)
    bars = {score.name: {"before": score.before, "after": score.after} for score in everything}
    parts = (
        ("Wrong before, right now", [change for change in comparison.changes if change.improved]),
        ("Right before, wrong now", [change for change in comparison.changes if not change.improved]),
    )
    examples = tuple(_examples(name, changes) for name, changes in parts if changes)
    return Report(title, tuple(facts), tuple(tables), (BarPlot("Before and after", bars, "share"),), examples)


def _rows(scores: Sequence[Score]) -> tuple[tuple[str, ...], ...]:
    return tuple(
        (
            score.name,
            share_with_interval(score.before, score.before_bounds),
            share_with_interval(score.after, score.after_bounds),
            points(score.after - score.before, score.difference_bounds),
        )
        for score in scores
    )


def points(difference: float, bounds: Bounds) -> str:
    """A difference of shares in points, with its interval: "+12.3 (+8.1 to +16.0)"."""
    low, high = (100 * bound for bound in bounds)
    return f"{100 * difference:+.1f} ({low:+.1f} to {high:+.1f})"


def _examples(title: str, changes: Sequence[Change]) -> Examples:
    shown = list(changes[:MOST_SHOWN])
    more = f" ({len(shown)} of {len(changes)} are shown)" if len(changes) > len(shown) else f" ({len(changes)})"
    return Examples(title + more, tuple(_example(change) for change in shown))


def _example(change: Change) -> Example:
    note = f"{change.right}, before: {change.before}" if change.improved else f"{change.right}, now: {change.after}"
    return Example(change.picture, note)
