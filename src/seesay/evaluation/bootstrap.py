"""Bootstrap confidence intervals of scores, by resampling pictures."""

from collections.abc import Callable

import numpy as np

SAMPLES = 1000
LEVEL = 0.95

Statistic = Callable[[np.ndarray], np.ndarray]  # (P,) times that each picture was drawn -> (M,) scores


def intervals(
    statistic: Statistic, pictures: int, *, samples: int = SAMPLES, level: float = LEVEL, seed: int = 0
) -> np.ndarray:
    """Percentile intervals (M, 2): the middle `level` of each score over `samples` draws of all pictures with replacement.

    Undefined scores (NaN) of a draw are ignored. Deterministic for a seed.
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
    """Intervals of the means over queries: values (Q, M) -> (M, 2). picture: (Q,), the number of each query's picture.

    A picture is drawn with all its queries (a cluster): captions of one picture err together, and drawn one by one they would
    make the interval too narrow. Without `picture`, each query is a picture of its own.
    """
    if picture is None:
        picture = np.arange(len(values))
    _, group = np.unique(picture, return_inverse=True)
    counts = np.bincount(group)  # (P,)
    sums = np.stack([np.bincount(group, weights=column) for column in values.T], axis=1)  # (P, M)
    return intervals(lambda times: (times @ sums) / (times @ counts), len(counts), samples=samples, seed=seed)
