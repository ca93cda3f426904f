"""A per-query mark, not a gate: which hits of a text query are likely to show what was asked for, with any model.

A rank says nothing by itself: what is a good match for one model or library is noise in another. So a query is compared with
the neutral phrases (`background.py`): its ranks less what phrases typically have on its nearest pictures. The phrases
themselves are searched for in the same library, each as if it were a query. A narrow library shows few of them and a large one
most, so a place among them says little. But those that it does not show crowd together at the lower end, and how they are
spread there tells what is chance in this library (an empirical null, Efron 2004, doi:10.1198/016214504000000089). How many
deviations of chance a hit stands out by gives its relevance.

What is taken away from a query does not say whether the rest of it is there, so the positive terms alone are asked for that.
Measured in docs/benchmarks.md.
"""

import math
from dataclasses import dataclass

import numpy as np

DENSEST = 0.2  # of the phrases: where they are most crowded is the middle of those that are absent


@dataclass(frozen=True)
class Scale:
    """What deviations of chance mean. found: how many the best hit must stand out by for any to be likely; kept: and every hit
    that is. even, slope: a logistic curve from deviations to the probability that a hit is right."""

    found: float
    kept: float
    even: float
    slope: float


# Of a word, and of a few: chosen with the bundled model so that three of four absent things of benchmarks/everyday.tsv have
# nothing likely and few right hits are unlikely; the curves are fitted to whether the first 15 of its queries are right. The
# more is said, the further it stands out of neutral phrases, in whatever library. A sentence so far that captions of other
# photos have half of the time nothing likely, and those of the library's own nearly always something.
WORDS = Scale(found=1.6, kept=-1.0, even=2.5, slope=2.6)
PHRASES = Scale(found=1.6, kept=-1.0, even=5.9, slope=4.2)
SENTENCE = Scale(found=6.0, kept=2.0, even=7.0, slope=2.5)


@dataclass(frozen=True)
class Absent:
    """How far what a library does not show stands out in it all the same, as a normal distribution."""

    mean: float
    deviation: float

    @staticmethod
    def among(best: np.ndarray) -> "Absent":
        """best (B,): of phrases of which some are there. The mean is that of the most crowded part, the deviation that of what
        lies below it, since what is there lies above."""
        best = np.sort(best)
        count = max(1, int(DENSEST * len(best)))
        start = int((best[count - 1 :] - best[: len(best) - count + 1]).argmin())
        mean = float(best[start : start + count].mean())
        below = best[best <= mean]
        spread = float(np.sqrt(np.square(below - mean).mean())) if len(below) else 0.0
        return Absent(mean, max(spread, 1e-6))

    def deviations(self, by: float) -> float:
        return (by - self.mean) / self.deviation


@dataclass(frozen=True)
class Relevance:
    """Of one text query in one library. best: the highest rank of its positive terms; typical: what phrases have on average on
    its nearest pictures, in ranks."""

    absent: Absent
    best: float
    typical: float
    scale: Scale = WORDS

    @property
    def found(self) -> bool:
        """Whether the library is likely to have what is asked for."""
        return self._deviations(self.best) >= self.scale.found

    def probability(self, rank: float) -> float:
        """0 to 1: that a hit of this rank shows it, where people ask for what is there more often than not."""
        return 0.5 + 0.5 * math.tanh((self._deviations(rank) - self.scale.even) / self.scale.slope / 2)

    @property
    def least(self) -> float:
        """The rank from which hits are likely; infinite where nothing is."""
        return self.typical + self.absent.mean + self.scale.kept * self.absent.deviation if self.found else math.inf

    def _deviations(self, rank: float) -> float:
        return self.absent.deviations(rank - self.typical)
