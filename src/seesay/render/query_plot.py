"""A figure of how pairs spread over queries, before and after they were balanced."""

from pathlib import Path

import numpy as np

from seesay.errors import InputError, MissingExtra
from seesay.system.files import atomic_write
from seesay.system.paths import printable

SUFFIXES = (".png", ".svg", ".pdf", ".webp")
POINTS = 2000  # of a line; more cannot be seen


def require(file: Path) -> None:
    """Raises InputError for a file that cannot hold the figure, MissingExtra without matplotlib."""
    if file.suffix.lower() not in SUFFIXES:
        raise InputError(f"expected a figure's file that ends in one of {', '.join(SUFFIXES)}, got {printable(str(file))}")
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise MissingExtra("a figure", "eval") from None


def draw_query_plot(file: Path, before: np.ndarray, after: np.ndarray, cap: int) -> None:
    """Writes the figure: at the left the pairs of each query, the most frequent first; at the right how much of all matches the
    rarest queries have together. before, after: pairs of each query (Q,) int64. Raises InputError, MissingExtra, OSError."""
    require(file)
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context({"font.size": 9.5, "axes.spines.top": False, "axes.spines.right": False}):
        figure = Figure(figsize=(9, 3.4), layout="constrained")
        ranks, shares = figure.subplots(1, 2)
        for name, counts, colour in (("before", before, "#f59e0b"), ("after", after, "#3b82f6")):
            falling = np.sort(counts[counts > 0])[::-1]
            if not len(falling):
                continue
            at = _places(len(falling))
            ranks.loglog(at + 1, falling[at], color=colour, label=name, linewidth=1.8)
            rising = falling[::-1].cumsum() / falling.sum()
            shares.plot((at + 1) / len(falling), rising[at], color=colour, label=name, linewidth=1.8)
        ranks.axhline(cap, color="#6b7280", linewidth=0.9, linestyle="--", label=f"cap {cap:,}")
        ranks.set(xlabel="queries, the most frequent first", ylabel="pairs of a query")
        shares.set(xlabel="share of the queries, the rarest first", ylabel="share of all matches", xlim=(0, 1), ylim=(0, 1.02))
        for axes in (ranks, shares):
            axes.grid(alpha=0.16, linewidth=0.8)
            axes.legend(frameon=False)
        with atomic_write(file) as draft:
            figure.savefig(draft, format=file.suffix.lower().removeprefix("."), dpi=100)


def _places(length: int) -> np.ndarray:
    """Places in a line of this length: close together at its beginning, and evenly in it."""
    near = np.geomspace(1, length, POINTS) - 1
    return np.unique(np.concatenate([near, np.linspace(0, length - 1, POINTS)]).astype(np.int64))
