"""Quality of a ranking with unjudged pictures: any@k, P@k and nDCG@k of its condensed list.

A condensed list is the ranking without the pictures that nobody judged (Sakai, Alternatives to Bpref, SIGIR 2007): those behind
move up, and nothing is held against a ranking that is not known to be wrong. Gains are 1 for a right picture and 0 for others.
"""

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

ANY = 3  # pictures that are seen at first sight
CUT = 10


@dataclass(frozen=True)
class Quality:
    """Scores of one ranking. first: rank of the first right picture in the condensed list, from 1; None if there is none."""

    any: bool  # right pictures among the first ANY
    precision: float  # the share of right ones among the first CUT
    best_precision: float  # what precision could be, which is less than 1 where fewer are right
    ndcg: float
    first: int | None


def quality(gains: Sequence[bool], right: int) -> Quality:
    """The scores of a condensed list of CUT pictures or more. gains: whether each is right; right: how many exist."""
    if right < 1:
        raise ValueError("a ranking cannot be judged where nothing is right")
    found = [place for place, gain in enumerate(gains, start=1) if gain]
    ideal = sum(map(_discount, range(1, min(right, CUT) + 1)))
    return Quality(
        any(place <= ANY for place in found),
        sum(place <= CUT for place in found) / CUT,
        min(right, CUT) / CUT,
        sum(_discount(place) for place in found if place <= CUT) / ideal,
        found[0] if found else None,
    )


def condensed(pages: Iterable[Sequence[int]], unjudged: Collection[int], least: int = CUT) -> list[int]:
    """The judged pictures of the first pages that together have `least`, or of all pages."""
    judged: list[int] = []
    for page in pages:
        judged += [picture for picture in page if picture not in unjudged]
        if len(judged) >= least:
            break
    return judged


def agreement(rankings: Sequence[Sequence[int]]) -> int:
    """The least number of pictures that two of the rankings share among their first CUT."""
    return min(len(set(a[:CUT]) & set(b[:CUT])) for a, b in combinations(rankings, 2))


def _discount(place: int) -> float:
    return 1 / math.log2(place + 1)
