"""How far a score may be off because these pictures were taken and not others: percentile intervals by resampling pictures."""

from collections.abc import Callable

import numpy as np

SAMPLES = 1000
LEVEL = 0.95

Statistic = Callable[[np.ndarray], np.ndarray]  # (P,) how often each picture was drawn -> (M,) scores


def intervals(
    statistic: Statistic, pictures: int, *, samples: int = SAMPLES, level: float = LEVEL, seed: int = 0
) -> np.ndarray:
    """(M, 2): the middle `level` of each score over `samples` draws of as many pictures, with replacement.

    Scores that a draw leaves undefined (NaN) are passed over. Deterministic for a seed.
    """
    generator = np.random.default_rng(seed)
    drawn = np.stack(
        [
            np.atleast_1d(statistic(np.bincount(generator.integers(pictures, size=pictures), minlength=pictures)))
            for _ in range(samples)
        ]
    )
    outside = 50 * (1 - level)
    return np.asarray(np.nanpercentile(drawn, [outside, 100 - outside], axis=0).T)


def mean_intervals(
    values: np.ndarray, picture: np.ndarray | None = None, *, samples: int = SAMPLES, seed: int = 0
) -> np.ndarray:
    """Means over queries of `values` (Q, M) -> (M, 2). `picture` (Q,) says whose queries they are.

    A picture is drawn with all its queries (a cluster): captions of one picture err together, and taken one by one they would
    make the interval too narrow. Without `picture` each query is one.
    """
    if picture is None:
        picture = np.arange(len(values))
    _, group = np.unique(picture, return_inverse=True)
    counts = np.bincount(group)  # (P,)
    sums = np.stack([np.bincount(group, weights=column) for column in values.T], axis=1)  # (P, M)
    return intervals(lambda times: (times @ sums) / (times @ counts), len(counts), samples=samples, seed=seed)
