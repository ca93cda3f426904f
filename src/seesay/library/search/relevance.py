"""A per-query relevance threshold for text queries, calibrated on neutral phrases; works with any model.

A rank says nothing by itself: what is a good match for one model or library is noise in another. So a query is compared with
neutral phrases (background.py) that are searched for in the same library as if they were queries. How far a query stands out
is its best rank, less the ranks that phrases typically have on its nearest pictures.

A specialised library shows few of the phrases and a large one most, so a quantile among them says little. But the phrases that
it does not show crowd together at the lower end, and their spread is what chance is in this library: an empirical null (Efron
2004, doi:10.1198/016214504000000089). The number of standard deviations by which a hit exceeds it gives its relevance.

Negative terms do not say whether the rest of a query is there, so only the positive terms are tested. The mark never removes a
hit by itself. Measured in docs/benchmarks.md.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

DENSEST = 0.2  # the share of phrases whose densest interval is taken for the middle of the absent ones


@dataclass(frozen=True)
class Scale:
    """Thresholds in standard deviations of the null. best: of the best hit, for any hit to be likely; hit: of each hit then.

    midpoint, slope: of the logistic curve from deviations to the probability that a hit is right.
    """

    best: float
    hit: float
    midpoint: float
    slope: float


# Of a word, and of a few: chosen with the bundled model so that three of four absent things of benchmarks/everyday.tsv have
# nothing likely and few right hits are unlikely; the curves are fitted to whether the first 15 hits of its queries are right.
# The longer a text, the further it stands out from neutral phrases in any library. A sentence has to stand out so far that
# captions of other photos have nothing likely half of the time, and those of the library's own nearly always something.
WORD = Scale(best=0.85, hit=-1.4, midpoint=2.2, slope=1.9)
WORDS = Scale(best=2.0, hit=0.0, midpoint=3.6, slope=1.7)
SENTENCE = Scale(best=6.0, hit=2.0, midpoint=7.0, slope=2.5)


@dataclass(frozen=True)
class NullDistribution:
    """A normal distribution of how far phrases stand out that a library does not show."""

    mean: float
    deviation: float

    @staticmethod
    def fitted(best: np.ndarray) -> "NullDistribution":
        """best (B,): how far phrases stand out, some of which the library shows.

        The mean is that of the densest interval; the deviation that of the values below it, since shown phrases are above.
        """
        best = np.sort(best)
        count = max(1, int(DENSEST * len(best)))
        start = int((best[count - 1 :] - best[: len(best) - count + 1]).argmin())
        mean = float(best[start : start + count].mean())
        below = best[best <= mean]
        spread = float(np.sqrt(np.square(below - mean).mean())) if len(below) else 0.0
        return NullDistribution(mean, max(spread, 1e-6))

    def deviations(self, value: float) -> float:
        """The value in standard deviations from the mean."""
        return (value - self.mean) / self.deviation


@dataclass(frozen=True)
class Relevance:
    """Relevance of the hits of one text query in one library.

    best: the highest rank of the query's positive terms; typical: the mean rank of phrases on its nearest pictures.
    """

    null: NullDistribution
    best: float
    typical: float
    scale: Scale = WORD

    @cached_property
    def is_present(self) -> bool:
        """Whether the library is likely to show what the query says."""
        return self._deviations(self.best) >= self.scale.best

    @cached_property
    def threshold(self) -> float:
        """The rank from which hits are likely; infinite where none is."""
        if not self.is_present:
            return math.inf
        return self.typical + self.null.mean + self.scale.hit * self.null.deviation

    def probability(self, rank: float) -> float:
        """The probability in 0..1 that a hit of this rank is right, if most searches are for something that is there."""
        return 0.5 + 0.5 * math.tanh((self._deviations(rank) - self.scale.midpoint) / self.scale.slope / 2)

    def _deviations(self, rank: float) -> float:
        return self.null.deviations(rank - self.typical)
