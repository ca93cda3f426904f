"""The page of a fine-tuning: scores before and after, and the pictures whose answers changed."""

from collections import Counter
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
    if comparison.changes:
        title, header = "Held-out pictures by label, those that lost most first", ("", "right now", "wrong now")
        tables.append(Table(title, header, _by_label(comparison.changes), detail=True))
    everything = (*comparison.scores, *comparison.kept)
    bars = {score.name: {"before": score.before, "after": score.after} for score in everything}
    parts = (
        ("Right before, wrong now", [change for change in comparison.changes if not change.improved]),
        ("Wrong before, right now", [change for change in comparison.changes if change.improved]),
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


def _by_label(changes: Sequence[Change]) -> tuple[tuple[str, ...], ...]:
    """How many pictures of each label changed for the better, and for the worse."""
    counts = {label: [0, 0] for label in sorted({change.right for change in changes})}
    for change in changes:
        counts[change.right][0 if change.improved else 1] += 1
    worst_first = sorted(counts.items(), key=lambda item: item[1][0] - item[1][1])
    return tuple((label, f"{better}", f"{worse}") for label, (better, worse) in worst_first)


def _spread(changes: Sequence[Change]) -> list[Change]:
    """One picture of each label after another, so that the first ones show as many labels as there are."""
    seen: Counter[str] = Counter()
    rounds = []
    for change in changes:
        rounds.append(seen[change.right])
        seen[change.right] += 1
    return [changes[i] for i in sorted(range(len(changes)), key=rounds.__getitem__)]


def points(difference: float, bounds: Bounds) -> str:
    """A difference of shares in points, with its interval: "+12.3 (+8.1 to +16.0)"."""
    low, high = (100 * bound for bound in bounds)
    return f"{100 * difference:+.1f} ({low:+.1f} to {high:+.1f})"


def _examples(title: str, changes: Sequence[Change]) -> Examples:
    shown = _spread(changes)[:MOST_SHOWN]
    more = f" ({len(shown)} of {len(changes)} are shown)" if len(changes) > len(shown) else f" ({len(changes)})"
    return Examples(title + more, tuple(_example(change) for change in shown))


def _example(change: Change) -> Example:
    note = f"{change.right}, before: {change.before}" if change.improved else f"{change.right}, now: {change.after}"
    return Example(change.picture, note)
